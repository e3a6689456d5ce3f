// 8-bit convolutions for any processor.
#define SYNTHHOST_WAY portable
#define SYNTHHOST_WAY_NAME "any processor"
#define SYNTHHOST_LANES 4
#define SYNTHHOST_ROWS 3
#define SYNTHHOST_DOT4                                                                           \
  inline Ints dot4(Ints sums, Ints w, Ints x) {                                                  \
    std::uint8_t weights[4 * SYNTHHOST_LANES];                                                   \
    std::int8_t values[4 * SYNTHHOST_LANES];                                                     \
    std::int32_t made[SYNTHHOST_LANES];                                                          \
    std::memcpy(weights, &w, sizeof weights);                                                    \
    std::memcpy(values, &x, sizeof values);                                                      \
    std::memcpy(made, &sums, sizeof made);                                                       \
    for (std::size_t i = 0; i < 4 * SYNTHHOST_LANES; ++i) made[i / 4] += weights[i] * values[i]; \
    return load_ints(made);                                                                      \
  }
#include "int8_body.hpp"
