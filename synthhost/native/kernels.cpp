// The inner loops' tables, one for each level of processor.
#include "kernels.hpp"

namespace synthhost {

namespace baseline {
extern const Kernels kKernels;
}
#if defined(SYNTHHOST_X86_LEVELS)
namespace v3 {
extern const Kernels kKernels;
}
namespace v4 {
extern const Kernels kKernels;
}
#endif

const Kernels& kernels(ProcessorLevel level) {
#if defined(SYNTHHOST_X86_LEVELS)
  if (level == ProcessorLevel::kV4) return v4::kKernels;
  if (level == ProcessorLevel::kV3) return v3::kKernels;
#endif
  (void)level;
  return baseline::kKernels;
}

}  // namespace synthhost
