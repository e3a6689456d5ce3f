// 8-bit convolutions with AVX2: pairs of 16 bits are multiplied and added.
#define SYNTHHOST_WAY avx2
#define SYNTHHOST_WAY_NAME "AVX2"
#define SYNTHHOST_LANES 8
#define SYNTHHOST_ROWS 3
#define SYNTHHOST_DOT4                                                                           \
  inline Ints dot4(Ints sums, Ints w, Ints x) {                                                  \
    const auto weights = reinterpret_cast<__m256i>(w), values = reinterpret_cast<__m256i>(x);    \
    const __m256i even = _mm256_madd_epi16(_mm256_and_si256(weights, _mm256_set1_epi16(0xFF)),   \
                                           _mm256_srai_epi16(_mm256_slli_epi16(values, 8), 8));  \
    const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(weights, 8),                         \
                                          _mm256_srai_epi16(values, 8));                         \
    return sums + reinterpret_cast<Ints>(even) + reinterpret_cast<Ints>(odd);                    \
  }
#include "int8_body.hpp"
