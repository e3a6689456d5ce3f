// 8-bit convolutions with AVX-512 VNNI.
#define SYNTHHOST_WAY vnni
#define SYNTHHOST_WAY_NAME "AVX-512 VNNI"
#define SYNTHHOST_LANES 16
#define SYNTHHOST_ROWS 6
#define SYNTHHOST_DOT4                                                                           \
  inline Ints dot4(Ints sums, Ints w, Ints x) {                                                  \
    return reinterpret_cast<Ints>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sums),           \
                                                      reinterpret_cast<__m512i>(w),              \
                                                      reinterpret_cast<__m512i>(x)));            \
  }
#include "int8_body.hpp"
