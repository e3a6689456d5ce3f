// The text of the 8-bit convolutions' inner loops, included once for each way of multiplying with SYNTHHOST_WAY,
// SYNTHHOST_WAY_NAME, SYNTHHOST_LANES and SYNTHHOST_ROWS (how many rows of two vectors the registers hold, twice)
// set, and `dot4` defined in its namespace by SYNTHHOST_DOT4.
#include <cstddef>
#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "int8_kernels.hpp"

namespace synthhost::SYNTHHOST_WAY {
namespace {

#include "lanes.hpp"
#include "finishing.hpp"

constexpr std::size_t kLanes = SYNTHHOST_LANES;
constexpr std::size_t kRows = SYNTHHOST_ROWS;
constexpr std::size_t kFetched = 4096;     // bytes of weights ahead

#if defined(__GNUC__)
typedef std::int32_t Ints __attribute__((vector_size(4 * SYNTHHOST_LANES)));
inline Ints splat(std::int32_t value) { return value - Ints{}; }
inline Lanes as_floats(Ints a) { return __builtin_convertvector(a, Lanes); }
#else
struct Ints {
  std::int32_t of[SYNTHHOST_LANES];
};
inline Ints splat(std::int32_t value) {
  Ints made;
  for (std::int32_t& one : made.of) one = value;
  return made;
}
inline Ints operator+(Ints a, const Ints& b) {
  for (std::size_t i = 0; i < SYNTHHOST_LANES; ++i) a.of[i] += b.of[i];
  return a;
}
inline Lanes as_floats(const Ints& a) {
  Lanes made;
  for (std::size_t i = 0; i < SYNTHHOST_LANES; ++i) made.of[i] = static_cast<float>(a.of[i]);
  return made;
}
#endif

inline Ints load_ints(const void* from) {
  Ints loaded;
  std::memcpy(&loaded, from, sizeof loaded);
  return loaded;
}

inline std::int32_t int_at(const float* from) {
  std::int32_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// sums + the products of four unsigned and four signed bytes, in every lane.
SYNTHHOST_DOT4

// `kRow` moments times `kVectors` vectors of outputs.
template <std::size_t kRow, std::size_t kVectors>
void int8_tile(const Int8RowsCall& call, std::size_t row, std::size_t output) {
  const std::size_t panel = call.taps * call.groups * kInt8Lanes * kInt8Group;  // bytes
  const std::uint8_t* w[kVectors];
  Lanes sums[kRow][kVectors];
#pragma GCC unroll 8
  for (std::size_t v = 0; v < kVectors; ++v) {
    const std::size_t place = output + v * kLanes;
    w[v] = call.weights + place / kInt8Lanes * panel + place % kInt8Lanes * kInt8Group;
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRow; ++r) sums[r][v] = Lanes{};
  }
  const std::size_t width = call.groups + 2, tap_bytes = call.groups * kInt8Lanes * kInt8Group;
  for (std::size_t n = 0; n < call.taps * call.layers; ++n) {
    const std::size_t tap = n / call.layers;
    const float* x = call.x + row * call.x_stride + tap * call.tap_stride + n % call.layers * width;
    Ints dots[kRow][kVectors];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRow; ++r) {
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) dots[r][v] = splat(-int_at(x + r * call.x_stride + call.groups + 1));
    }
    // Few pointers, so that every row is one of them plus 0 to 2 strides.
    const float* at[(kRow + 2) / 3];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRow; r += 3) at[r / 3] = x + r * call.x_stride;
    const std::uint8_t* from[kVectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) from[v] = w[v] + tap * tap_bytes;
    for (std::size_t g = 0; g < call.groups; ++g) {
      Ints column[kVectors];
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        if constexpr (kRow < kRows) prefetch(from[v] + kFetched);
        column[v] = load_ints(from[v]);
        from[v] += kInt8Lanes * kInt8Group;
      }
#pragma GCC unroll 8
      for (std::size_t r = 0; r < kRow; ++r) {
        const Ints value = splat(int_at(at[r / 3] + r % 3 * call.x_stride + g));
#pragma GCC unroll 8
        for (std::size_t v = 0; v < kVectors; ++v) dots[r][v] = dot4(dots[r][v], column[v], value);
      }
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRow; ++r) {
      const Lanes scale = splat(x[r * call.x_stride + call.groups]);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) sums[r][v] = sums[r][v] + as_floats(dots[r][v]) * scale;
    }
  }
#pragma GCC unroll 8
  for (std::size_t v = 0; v < kVectors; ++v) {
    const std::size_t place = output + v * kLanes;
    const Lanes scale = load(call.scales + place), bias = load(call.bias + place);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRow; ++r) finish(sums[r][v] * scale + bias, call.end, row + r, place);
  }
}

// Runs the tile of so many rows, at most kMost.
template <std::size_t kMost, std::size_t kVectors>
inline void tile_of(const Int8RowsCall& call, std::size_t row, std::size_t rows, std::size_t output) {
  if constexpr (kMost > 1) {
    if (rows < kMost) return tile_of<kMost - 1, kVectors>(call, row, rows, output);
  }
  int8_tile<kMost, kVectors>(call, row, output);
}

// All rows of some vectors of outputs, in tiles of nearly the same size.
template <std::size_t kMost, std::size_t kVectors>
inline void all_rows(const Int8RowsCall& call, std::size_t output) {
  const std::size_t tiles = (call.rows + kMost - 1) / kMost;
  for (std::size_t n = 0, row = 0; n < tiles; ++n) {
    const std::size_t rows = (call.rows - row + tiles - n - 1) / (tiles - n);
    tile_of<kMost, kVectors>(call, row, rows, output);
    row += rows;
  }
}

void rows(const Int8RowsCall& call) {
  std::size_t output = 0;
  if constexpr (kRows >= 4) {
    if (call.rows <= kRows / 4) {
      for (; output + 8 * kLanes <= call.outputs; output += 8 * kLanes) all_rows<kRows / 4, 8>(call, output);
    }
  }
  if (call.rows <= kRows / 2) {
    for (; output + 4 * kLanes <= call.outputs; output += 4 * kLanes) all_rows<kRows / 2, 4>(call, output);
  }
  for (; output + 2 * kLanes <= call.outputs; output += 2 * kLanes) all_rows<kRows, 2>(call, output);
  if (output < call.outputs) all_rows<kRows, 1>(call, output);
}

// A number whose addition rounds to whole numbers, which then stand in its lowest bits.
constexpr float kRounding = 12582912.0f;
constexpr std::int32_t kRoundingBits = 0x4B400000;
constexpr float kSilent = 1e-30f;  // a moment below it is taken for silence

// The next values of a moment, zeros after its last.
inline Lanes values_at(const float* x, std::size_t i, std::size_t channels) {
  if (i + kLanes <= channels) return load(x + i);
  float some[kLanes] = {};
  std::memcpy(some, x + i, (channels - i) * sizeof(float));
  return load(some);
}

// The scale of a moment; what is not finite in it makes it not finite.
inline float scale_of(const float* x, std::size_t channels, float& inverse) {
  Lanes most = Lanes{}, spoiled = Lanes{};
  for (std::size_t i = 0; i < channels; i += kLanes) {
    const Lanes value = values_at(x, i, channels);
    most = larger(most, larger(value, value * splat(-1.0f)));
    spoiled = spoiled + value * splat(0.0f);
  }
  float peak = 0.0f, poison = 0.0f;
  float each[2][kLanes];
  store(each[0], most);
  store(each[1], spoiled);
  for (std::size_t i = 0; i < kLanes; ++i) {
    if (each[0][i] > peak) peak = each[0][i];
    poison += each[1][i];
  }
  inverse = peak > kSilent ? 127.0f / peak : 0.0f;
  return (peak > kSilent ? peak * (1.0f / 127.0f) : 0.0f) + poison;
}

// To whole numbers.
inline Lanes rounded(Lanes value) { return value + splat(kRounding) + splat(-kRounding); }

// Writes whole numbers as bytes and adds them to sums.
inline Ints to_bytes(Lanes value, std::int8_t* to, Ints sums) {
  const Lanes shifted = value + splat(kRounding);
  const Ints whole = load_ints(&shifted) + splat(-kRoundingBits);
#if defined(__GNUC__)
  typedef std::int8_t Bytes __attribute__((vector_size(SYNTHHOST_LANES)));
  const Bytes bytes = __builtin_convertvector(whole, Bytes);
  std::memcpy(to, &bytes, sizeof bytes);
#else
  for (std::size_t n = 0; n < kLanes; ++n) to[n] = static_cast<std::int8_t>(whole.of[n]);
#endif
  return sums + whole;
}

constexpr float kFiner = 254.0f;  // what a first layer leaves is at most half its step

// Writes one layer of a moment: of values times `inverse`, or what the first layer leaves of these.
template <bool kSecond>
inline void quantise_layer(const float* x, std::size_t channels, float inverse, float scale, float* y) {
  const std::size_t groups = int8_groups(channels);
  auto* bytes = reinterpret_cast<std::int8_t*>(y);
  Ints sums = splat(std::int32_t{0});
  for (std::size_t i = 0; i < channels; i += kLanes) {
    Lanes value = values_at(x, i, channels) * splat(inverse);
    if constexpr (kSecond) value = (value + rounded(value) * splat(-1.0f)) * splat(kFiner);
    sums = to_bytes(value, bytes + i, sums);
  }
  std::int32_t each[kLanes], sum = 0;
  std::memcpy(each, &sums, sizeof each);
  for (std::size_t i = 0; i < kLanes; ++i) sum += each[i];
  sum *= kInt8Weight;
  y[groups] = scale;  // after the bytes, which fill whole vectors
  std::memcpy(y + groups + 1, &sum, sizeof sum);
}

void quantise(const QuantiseCall& call) {
  const std::size_t groups = int8_groups(call.channels), width = int8_width(call.channels);
  for (std::size_t row = 0; row < call.rows; ++row) {
    const float* x = call.x + row * call.x_stride;
    float* y = call.y + row * call.y_stride;
    float inverse;
    const float scale = scale_of(x, call.channels, inverse);
    if (scale != scale) {  // whatever it is multiplied with becomes so
      std::memset(y, 0, call.layers * width * sizeof(float));
      for (std::size_t n = 0; n < call.layers; ++n) y[n * width + groups] = scale;
      continue;
    }
    quantise_layer<false>(x, call.channels, inverse, scale, y);
    if (call.layers < 2) continue;
    quantise_layer<true>(x, call.channels, inverse, scale * (1.0f / kFiner), y + width);
  }
}

}  // namespace

extern const Int8Kernels kInt8Kernels;
const Int8Kernels kInt8Kernels = {SYNTHHOST_WAY_NAME, quantise, rows};

}  // namespace synthhost::SYNTHHOST_WAY
