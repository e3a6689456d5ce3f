// 8-bit convolutions with AVX-VNNI.
#define SYNTHHOST_WAY avxvnni
#define SYNTHHOST_WAY_NAME "AVX-VNNI"
#define SYNTHHOST_LANES 8
#define SYNTHHOST_ROWS 3
#define SYNTHHOST_DOT4                                                                           \
  inline Ints dot4(Ints sums, Ints w, Ints x) {                                                  \
    return reinterpret_cast<Ints>(_mm256_dpbusd_avx_epi32(reinterpret_cast<__m256i>(sums),       \
                                                          reinterpret_cast<__m256i>(w),          \
                                                          reinterpret_cast<__m256i>(x)));        \
  }
#include "int8_body.hpp"
