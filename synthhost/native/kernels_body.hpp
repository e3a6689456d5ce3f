// The inner loops' text, included once for each level with SYNTHHOST_LEVEL and SYNTHHOST_LANES set. Nothing here
// comes from the standard library's templates: a copy of one that was compiled for a newer processor must not
// stand in for the others'.
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__F16C__)
#include <immintrin.h>
#endif

#include "kernels.hpp"

namespace synthhost::SYNTHHOST_LEVEL {
namespace {

#include "lanes.hpp"

constexpr std::size_t kLanes = SYNTHHOST_LANES;

#if SYNTHHOST_LANES == 16 && defined(__AVX512F__)
inline Lanes load(const std::uint16_t* from) {
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_maskz_cvtph_ps(0xffff, halves);  // GCC 12 warns of the one without a mask
}
#elif SYNTHHOST_LANES == 8 && defined(__F16C__)
inline Lanes load(const std::uint16_t* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
#else
inline Lanes load(const std::uint16_t* from) {
  float values[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) {
    const std::uint32_t sign = (from[i] & 0x8000u) << 16, size = from[i] & 0x7fffu;
    const float tiny = static_cast<float>(static_cast<std::int32_t>(size)) * 5.9604644775390625e-8f;  // 2^-24
    const std::uint32_t normal = (size << 13) + (112u << 23);
    std::uint32_t bits;
    std::memcpy(&bits, &tiny, sizeof bits);
    bits = (size < 0x400u ? bits : normal) | sign;
    std::memcpy(&values[i], &bits, sizeof bits);
  }
  return load(values);
}
#endif

#include "products_body.hpp"

// exp(x), relative error below 2e-7; x is limited to where the result is a normal number, and no NaN.
inline float exponential(float x) {
  x = !(x > -87.0f) ? -87.0f : x > 88.0f ? 88.0f : x;
  const float rounder = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  const float whole = (x * 1.44269504f + rounder) - rounder;
  const float rest = (x - whole * 0.693145752f) - whole * 1.42860677e-6f;
  const float square = rest * rest;
  const float low = (1.0f + rest) + square * (0.5f + rest * (1.0f / 6.0f));
  const float high = (1.0f / 24.0f + rest * (1.0f / 120.0f)) + square * (1.0f / 720.0f + rest * (1.0f / 5040.0f));
  const float series = low + (square * square) * high;
  const std::int32_t bits = (static_cast<std::int32_t>(whole) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return series * power;
}

inline float sigmoid_of(float x) { return x == x ? 1.0f / (1.0f + exponential(-x)) : x; }

// What tanh(x) = x - x^3 * odd_series(x^2) needs where |x| is small.
inline float odd_series(float square) {
  float series = 1382.0f / 155925.0f;
  series = series * square - 62.0f / 2835.0f;
  series = series * square + 17.0f / 315.0f;
  series = series * square - 2.0f / 15.0f;
  return series * square + 1.0f / 3.0f;
}

// Near zero an odd series keeps the relative error small, elsewhere 1 - 2 / (exp(2x) + 1).
inline float tanh_of(float x) {
  const float size = x < 0.0f ? -x : x;
  const float square = x * x;
  const float small = x - x * square * odd_series(square);
  const float large = 1.0f - 2.0f / (exponential(2.0f * size) + 1.0f);
  const float signed_large = x < 0.0f ? -large : large;
  return size >= 0.3f ? signed_large : small;  // what is no number stays none
}

// As the product of tanh_of and sigmoid_of, with one division: with e = exp(-2 |a|), tanh |a| = (1 - e) / (1 + e).
inline float gated(float a, float b) {
  const float size = a < 0.0f ? -a : a;
  const float square = a * a;
  const float passing = b == b ? 1.0f + exponential(-b) : b;
  const float fading = exponential(-2.0f * size);
  const float small = a - a * square * odd_series(square);
  const float large = a < 0.0f ? fading - 1.0f : 1.0f - fading;
  return size >= 0.3f ? large / ((1.0f + fading) * passing) : small / passing;  // what is no number stays none
}

void gate(const float* a, const float* b, float* y, std::size_t count) {
  std::size_t o = 0;
  for (; o + kQuarterPanel <= count; o += kQuarterPanel) {
    for (std::size_t i = o; i < o + kQuarterPanel; ++i) y[i] = gated(a[i], b[i]);
  }
  for (; o < count; ++o) y[o] = gated(a[o], b[o]);
}

void hyperbolic_tangent(const float* x, float* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = tanh_of(x[i]);
}

void sigmoid(const float* x, float* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = sigmoid_of(x[i]);
}

void rectify(const float* x, float* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = x[i] > 0.0f ? x[i] : 0.0f;
}

void scale(float scale, const float* x, const float* bias, float* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = scale * x[i] + bias[i];
}

float greatest(const float* x, std::size_t count) {
  float best[kQuarterPanel];
  for (float& one : best) one = x[0];
  std::size_t i = 0;
  for (; i + kQuarterPanel <= count; i += kQuarterPanel) {
    for (std::size_t n = 0; n < kQuarterPanel; ++n) best[n] = x[i + n] > best[n] ? x[i + n] : best[n];
  }
  for (; i < count; ++i) best[0] = x[i] > best[0] ? x[i] : best[0];
  for (const float one : best) best[0] = one > best[0] ? one : best[0];
  return best[0];
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

void exponentials(const float* x, float peak, double sharpness, double* y, double* sums, std::size_t count) {
  const auto power = [=](float one) {
    return exponential_below_one((static_cast<double>(one) - static_cast<double>(peak)) * sharpness);
  };
  std::size_t i = 0;
  for (; i + kQuarterPanel <= count; i += kQuarterPanel) {
    for (std::size_t n = i; n < i + kQuarterPanel; ++n) y[n] = power(x[n]);
    double sum[4] = {y[i], y[i + 1], y[i + 2], y[i + 3]};
    for (std::size_t n = 4; n < kQuarterPanel; ++n) sum[n % 4] += y[i + n];
    sums[i / kQuarterPanel] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  }
  double rest = 0.0;
  for (std::size_t n = i; n < count; ++n) rest += y[n] = power(x[n]);
  if (i < count) sums[i / kQuarterPanel] = rest;
}

void add_glided(const float* x, float from, float to, const float* glide, float* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] += (from + (to - from) * glide[i]) * x[i];
}

// sin(2 pi t) for -0.5 <= t <= 0.5, error below 2e-7.
inline float sine_of_turns(float t) {
  const float folded = t > 0.25f ? 0.5f - t : t < -0.25f ? -0.5f - t : t;
  const float square = folded * folded;
  float series = 3.81995258f;
  series = series * square - 15.0946426f;
  series = series * square + 42.0586940f;
  series = series * square - 76.7058598f;
  series = series * square + 81.6052493f;
  series = series * square - 41.3417022f;
  return folded * (series * square + 6.28318531f);
}

void add_sine(const double* cycles, double place, float from, float to, const float* glide, float* y,
              std::size_t count) {
  const double rounder = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to a whole number
  for (std::size_t i = 0; i < count; ++i) {
    const double turns = place * cycles[i];
    const double whole = (turns + rounder) - rounder;
    y[i] += (from + (to - from) * glide[i]) * sine_of_turns(static_cast<float>(turns - whole));
  }
}

}  // namespace

extern const Kernels kKernels;
const Kernels kKernels = {kWeightKernels<float>, kWeightKernels<std::uint16_t>,
                          gate, hyperbolic_tangent, sigmoid, rectify, scale, greatest, exponentials,
                          add_glided, add_sine};

}  // namespace synthhost::SYNTHHOST_LEVEL
