// Which inner loops this processor runs.
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

namespace {

const Kernels& best() {
#if defined(SYNTHHOST_X86_LEVELS)
  __builtin_cpu_init();
  const bool v3_runs = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                       __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool v4_runs = v3_runs && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                       __builtin_cpu_supports("avx512vl");
  if (v4_runs) return v4::kKernels;
  if (v3_runs) return v3::kKernels;
#endif
  return baseline::kKernels;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = best();
  return chosen;
}

}  // namespace synthhost
