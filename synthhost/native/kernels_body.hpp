// The inner loops' text, included once for each level with SYNTHHOST_LEVEL and SYNTHHOST_LANES set. Nothing here
// comes from the standard library's templates: a copy of one that was compiled for a newer processor must not
// stand in for the others'.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels.hpp"

namespace synthhost::SYNTHHOST_LEVEL {
namespace {

#include "lanes.hpp"

constexpr std::size_t kLanes = SYNTHHOST_LANES;

// One panel times one vector. Several chains of sums keep the multipliers busy.
template <std::size_t kWidth>
inline void panel_product(const float* weights, std::size_t inputs, const float* x, float* y) {
  constexpr std::size_t kVectors = kWidth / kLanes;
  constexpr std::size_t kChains = kVectors >= 8 ? 1 : 8 / kVectors;
  Lanes sums[kChains][kVectors] = {};
  std::size_t i = 0;
  for (; i + kChains <= inputs; i += kChains) {
    for (std::size_t chain = 0; chain < kChains; ++chain, weights += kWidth) {
      const Lanes value = splat(x[i + chain]);
      for (std::size_t v = 0; v < kVectors; ++v) {
        sums[chain][v] = sums[chain][v] + value * load(weights + v * kLanes);
      }
    }
  }
  for (; i < inputs; ++i, weights += kWidth) {
    const Lanes value = splat(x[i]);
    for (std::size_t v = 0; v < kVectors; ++v) sums[0][v] = sums[0][v] + value * load(weights + v * kLanes);
  }
  for (std::size_t v = 0; v < kVectors; ++v) {
    Lanes sum = sums[0][v];
    for (std::size_t chain = 1; chain < kChains; ++chain) sum = sum + sums[chain][v];
    store(y + v * kLanes, load(y + v * kLanes) + sum);
  }
}

// One panel times several vectors; each vector's sum runs over its inputs in order, whatever kRows is.
template <std::size_t kWidth, std::size_t kRows>
inline void panel_products(const float* weights, std::size_t inputs, const float* x, std::size_t x_stride,
                           float* y, std::size_t y_stride) {
  constexpr std::size_t kVectors = kWidth / kLanes;
  Lanes sums[kRows][kVectors] = {};
  for (std::size_t i = 0; i < inputs; ++i, weights += kWidth) {
    Lanes column[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) column[v] = load(weights + v * kLanes);
    for (std::size_t row = 0; row < kRows; ++row) {
      const Lanes value = splat(x[row * x_stride + i]);
      for (std::size_t v = 0; v < kVectors; ++v) sums[row][v] = sums[row][v] + value * column[v];
    }
  }
  for (std::size_t row = 0; row < kRows; ++row) {
    float* to = y + row * y_stride;
    for (std::size_t v = 0; v < kVectors; ++v) store(to + v * kLanes, load(to + v * kLanes) + sums[row][v]);
  }
}

template <std::size_t kWidth>
inline void panel_of_all(const float* weights, std::size_t inputs, const float* x, std::size_t x_stride,
                         float* y, std::size_t y_stride, std::size_t count) {
  constexpr std::size_t kRows = kWidth / kLanes >= 8 ? 1 : 8 * kLanes / kWidth;
  std::size_t row = 0;
  for (; row + kRows <= count; row += kRows) {
    panel_products<kWidth, kRows>(weights, inputs, x + row * x_stride, x_stride, y + row * y_stride, y_stride);
  }
  for (; row < count; ++row) {
    panel_products<kWidth, 1>(weights, inputs, x + row * x_stride, x_stride, y + row * y_stride, y_stride);
  }
}

void product(const float* packed, std::size_t inputs, std::size_t outputs, const float* x, float* y) {
  std::size_t o = 0;
  for (; o + kPanel <= outputs; o += kPanel) panel_product<kPanel>(packed + o * inputs, inputs, x, y + o);
  if (o < outputs) panel_product<kHalfPanel>(packed + o * inputs, inputs, x, y + o);
}

void products(const float* packed, std::size_t inputs, std::size_t outputs, const float* x,
              std::size_t x_stride, float* y, std::size_t y_stride, std::size_t count) {
  std::size_t o = 0;
  for (; o + kPanel <= outputs; o += kPanel) {
    panel_of_all<kPanel>(packed + o * inputs, inputs, x, x_stride, y + o, y_stride, count);
  }
  if (o < outputs) {
    panel_of_all<kHalfPanel>(packed + o * inputs, inputs, x, x_stride, y + o, y_stride, count);
  }
}

// exp(x), relative error below 2e-7; x is limited to where the result is a normal number, and no NaN.
inline float exponential(float x) {
  x = !(x > -87.0f) ? -87.0f : x > 88.0f ? 88.0f : x;
  const float rounder = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  const float whole = (x * 1.44269504f + rounder) - rounder;
  const float rest = (x - whole * 0.693145752f) - whole * 1.42860677e-6f;
  float series = 1.0f / 5040.0f;
  series = series * rest + 1.0f / 720.0f;
  series = series * rest + 1.0f / 120.0f;
  series = series * rest + 1.0f / 24.0f;
  series = series * rest + 1.0f / 6.0f;
  series = series * rest + 0.5f;
  series = series * rest + 1.0f;
  series = series * rest + 1.0f;
  const std::int32_t bits = (static_cast<std::int32_t>(whole) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return series * power;
}

inline float sigmoid_of(float x) { return x == x ? 1.0f / (1.0f + exponential(-x)) : x; }

// Near zero an odd series keeps the relative error small, elsewhere 1 - 2 / (exp(2x) + 1).
inline float tanh_of(float x) {
  const float size = x < 0.0f ? -x : x;
  const float square = x * x;
  float series = 1382.0f / 155925.0f;
  series = series * square - 62.0f / 2835.0f;
  series = series * square + 17.0f / 315.0f;
  series = series * square - 2.0f / 15.0f;
  series = series * square + 1.0f / 3.0f;
  const float small = x - x * square * series;
  const float large = 1.0f - 2.0f / (exponential(2.0f * size) + 1.0f);
  const float signed_large = x < 0.0f ? -large : large;
  return size >= 0.3f ? signed_large : small;  // what is no number stays none
}

void gate(const float* a, const float* b, float* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = tanh_of(a[i]) * sigmoid_of(b[i]);
}

void hyperbolic_tangent(const float* x, float* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = tanh_of(x[i]);
}

void sigmoid(const float* x, float* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = sigmoid_of(x[i]);
}

void rectify(float* x, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) x[i] = x[i] > 0.0f ? x[i] : 0.0f;
}

// exp(x) for x <= 0, relative error below 1e-15 where the result is a normal number.
inline double exponential_below_one(double x) {
  x = !(x > -708.0) ? -708.0 : x;
  const double rounder = 6755399441055744.0;  // 1.5 * 2^52
  const double shifted = x * 1.4426950408889634 + rounder;
  const double whole = shifted - rounder;
  const double rest = (x - whole * 0.693147180369123816490) - whole * 1.90821492927058770002e-10;
  double series = 1.0 / 6227020800.0;
  series = series * rest + 1.0 / 479001600.0;
  series = series * rest + 1.0 / 39916800.0;
  series = series * rest + 1.0 / 3628800.0;
  series = series * rest + 1.0 / 362880.0;
  series = series * rest + 1.0 / 40320.0;
  series = series * rest + 1.0 / 5040.0;
  series = series * rest + 1.0 / 720.0;
  series = series * rest + 1.0 / 120.0;
  series = series * rest + 1.0 / 24.0;
  series = series * rest + 1.0 / 6.0;
  series = series * rest + 0.5;
  series = series * rest + 1.0;
  series = series * rest + 1.0;
  std::int64_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits + 1023) << 52;  // the low bits of `shifted` are the whole number
  double power;
  std::memcpy(&power, &bits, sizeof power);
  return series * power;
}

void exponentials(const float* x, float peak, double sharpness, double* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    y[i] = exponential_below_one((static_cast<double>(x[i]) - static_cast<double>(peak)) * sharpness);
  }
}

}  // namespace

extern const Kernels kKernels;
const Kernels kKernels = {product, products, gate, hyperbolic_tangent, sigmoid, rectify, exponentials};

}  // namespace synthhost::SYNTHHOST_LEVEL
