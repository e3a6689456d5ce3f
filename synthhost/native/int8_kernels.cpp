// The 8-bit convolutions' tables, one for each way of multiplying.
#include "int8_kernels.hpp"

#include <stdexcept>

#if defined(SYNTHHOST_X86_LEVELS)
#include <cpuid.h>
#endif

namespace synthhost {

namespace portable {
extern const Int8Kernels kInt8Kernels;
}
#if defined(SYNTHHOST_X86_LEVELS)
namespace avx2 {
extern const Int8Kernels kInt8Kernels;
}
namespace avxvnni {
extern const Int8Kernels kInt8Kernels;
}
namespace vnni {
extern const Int8Kernels kInt8Kernels;
}

namespace {

bool has_avx512_vnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c >> 11 & 1u);
}

bool has_avx_vnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1u);
}

}  // namespace
#endif

std::vector<const Int8Kernels*> int8_kernels(ProcessorLevel level) {
  std::vector<const Int8Kernels*> found = {&portable::kInt8Kernels};
#if defined(SYNTHHOST_X86_LEVELS)
  if (level != ProcessorLevel::kBaseline) {
    found.push_back(&avx2::kInt8Kernels);
    if (has_avx_vnni()) found.push_back(&avxvnni::kInt8Kernels);
  }
  if (level == ProcessorLevel::kV4 && has_avx512_vnni()) found.push_back(&vnni::kInt8Kernels);
#endif
  (void)level;
  return found;
}

const Int8Kernels& int8_kernels(ProcessorLevel level, const std::string& name) {
  const std::vector<const Int8Kernels*> found = int8_kernels(level);
  for (const Int8Kernels* one : found) {
    if (name == one->name) return *one;
  }
  if (name.empty()) return *found.back();
  throw std::invalid_argument("this processor multiplies no 8-bit integers by '" + name.substr(0, 60) + "'.");
}

}  // namespace synthhost
