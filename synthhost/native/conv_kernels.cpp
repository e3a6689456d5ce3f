// The convolutions' tables, one for each level of processor.
#include "conv_kernels.hpp"

namespace synthhost {

namespace baseline {
extern const ConvKernels kConvKernels;
}
#if defined(SYNTHHOST_X86_LEVELS)
namespace v3 {
extern const ConvKernels kConvKernels;
}
namespace v4 {
extern const ConvKernels kConvKernels;
}
#endif

const ConvKernels& conv_kernels(ProcessorLevel level) {
#if defined(SYNTHHOST_X86_LEVELS)
  if (level == ProcessorLevel::kV4) return v4::kConvKernels;
  if (level == ProcessorLevel::kV3) return v3::kConvKernels;
#endif
  (void)level;
  return baseline::kConvKernels;
}

}  // namespace synthhost
