// What one core does at most: multiply-additions in registers alone, and reading.
//
// A loop is timed in pieces of about a millisecond and the best one counts, so that other programs on the
// machine do not lower a peak.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <vector>

#include "bindings.hpp"
#include "processor.hpp"

#if defined(SYNTHHOST_X86_LEVELS)
#include <immintrin.h>
#endif

namespace nb = nanobind;

namespace synthhost {

namespace {

constexpr std::size_t kChains = 12;  // independent sums: more than latency times units, and all in registers
constexpr double kPieceSeconds = 1e-3;

// Each `sums = sums * factor + term`, `rounds` times over all chains.
using Multiply = float (*)(std::size_t rounds, float factor, float term);
// Reads so many floats, a multiple of kReadFloats.
using Read = float (*)(const float* from, std::size_t count);
constexpr std::size_t kReadFloats = 128;

#if defined(__GNUC__)
// The loops' text, compiled once for every level: arithmetic on vectors is part of the language.
#define SYNTHHOST_PEAK_LOOPS(name, target, lanes)                                          \
  target float multiply_##name(std::size_t rounds, float factor, float term) {             \
    typedef float Lanes __attribute__((vector_size(4 * lanes)));                           \
    Lanes sums[kChains];                                                                   \
    for (std::size_t c = 0; c < kChains; ++c) sums[c] = Lanes{} + static_cast<float>(c);   \
    const Lanes factors = Lanes{} + factor, terms = Lanes{} + term;                        \
    for (std::size_t round = 0; round < rounds; ++round) {                                 \
      for (std::size_t c = 0; c < kChains; ++c) sums[c] = sums[c] * factors + terms;       \
    }                                                                                      \
    for (std::size_t c = 1; c < kChains; ++c) sums[0] = sums[0] + sums[c];                 \
    float total = 0.0f;                                                                    \
    for (std::size_t lane = 0; lane < lanes; ++lane) total += sums[0][lane];               \
    return total;                                                                          \
  }                                                                                        \
  target float read_##name(const float* from, std::size_t count) {                         \
    typedef float Lanes __attribute__((vector_size(4 * lanes)));                           \
    Lanes sums[8] = {};                                                                    \
    for (std::size_t i = 0; i < count; i += 8 * lanes) {                                   \
      for (std::size_t v = 0; v < 8; ++v) {                                                \
        Lanes loaded;                                                                      \
        std::memcpy(&loaded, from + i + v * lanes, sizeof loaded);                         \
        sums[v] = sums[v] + loaded;                                                        \
      }                                                                                    \
    }                                                                                      \
    for (std::size_t v = 1; v < 8; ++v) sums[0] = sums[0] + sums[v];                       \
    return sums[0][0];                                                                     \
  }
SYNTHHOST_PEAK_LOOPS(baseline, , 4)
#if defined(SYNTHHOST_X86_LEVELS)
SYNTHHOST_PEAK_LOOPS(v3, __attribute__((target("avx2,fma"))), 8)
SYNTHHOST_PEAK_LOOPS(v4, __attribute__((target("avx512f,prefer-vector-width=512"))), 16)
#endif
#undef SYNTHHOST_PEAK_LOOPS
constexpr std::size_t kBaselineLanes = 4;
#else
float multiply_baseline(std::size_t rounds, float factor, float term) {
  float sums[kChains] = {};
  for (std::size_t round = 0; round < rounds; ++round) {
    for (float& sum : sums) sum = sum * factor + term;
  }
  float total = 0.0f;
  for (const float sum : sums) total += sum;
  return total;
}
float read_baseline(const float* from, std::size_t count) {
  float total = 0.0f;
  for (std::size_t i = 0; i < count; ++i) total += from[i];
  return total;
}
constexpr std::size_t kBaselineLanes = 1;
#endif

struct Loops {
  Multiply multiply;
  Read read;
  std::size_t lanes;
};

Loops loops() {
#if defined(SYNTHHOST_X86_LEVELS)
  switch (processor_level()) {
    case ProcessorLevel::kV4:
      return {multiply_v4, read_v4, 16};
    case ProcessorLevel::kV3:
      return {multiply_v3, read_v3, 8};
    case ProcessorLevel::kBaseline:
      break;
  }
#endif
  return {multiply_baseline, read_baseline, kBaselineLanes};
}

#if defined(SYNTHHOST_X86_LEVELS)
// Products of 64 pairs of bytes, added in fours to 16 sums: 128 operations an instruction.
__attribute__((target("avx512f,avx512vnni"))) int multiply_bytes(std::size_t rounds, int left, int right) {
  __m512i sums[kChains];
  for (std::size_t c = 0; c < kChains; ++c) sums[c] = _mm512_set1_epi32(static_cast<int>(c));
  const __m512i a = _mm512_set1_epi32(left), b = _mm512_set1_epi32(right);
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t c = 0; c < kChains; ++c) sums[c] = _mm512_dpbusd_epi32(sums[c], a, b);
  }
  for (std::size_t c = 1; c < kChains; ++c) sums[0] = _mm512_add_epi32(sums[0], sums[c]);
  unsigned lanes[16];
  std::memcpy(lanes, &sums[0], sizeof lanes);
  return static_cast<int>(std::accumulate(lanes, lanes + 16, 0U));
}
#endif

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The best rate of `work(size)`, which does `size * unit` operations, over `seconds`; in 1e9 a second.
template <class Work>
double best_rate(double seconds, double unit, Work work) {
  const double end = seconds_now() + seconds;
  double best = 0.0, begun = seconds_now();
  std::size_t size = 1;
  do {
    begun = seconds_now();
    work(size);
    const double spent = std::max(seconds_now() - begun, 1e-9);
    if (spent < kPieceSeconds / 2) {
      size *= 2;
    } else {
      best = std::max(best, static_cast<double>(size) * unit / spent * 1e-9);
    }
  } while (seconds_now() < end || best == 0.0);
  return best;
}

double float32_gflops(double seconds) {
  const nb::gil_scoped_release released;
  const Loops chosen = loops();
  volatile float factor = 0.75f, term = 0.5f, kept = 0.0f;  // volatile: nothing is worked out beforehand
  const double unit = 2.0 * static_cast<double>(kChains * chosen.lanes);
  return best_rate(seconds, unit, [&](std::size_t rounds) { kept = chosen.multiply(rounds, factor, term); });
}

std::optional<double> int8_gops(double seconds) {
#if defined(SYNTHHOST_X86_LEVELS)
  if (processor_level() == ProcessorLevel::kV4 && __builtin_cpu_supports("avx512vnni")) {
    const nb::gil_scoped_release released;
    volatile int left = 0x01020301, right = 0x01ff02fe, kept = 0;
    const double unit = 128.0 * kChains;
    return best_rate(seconds, unit, [&](std::size_t rounds) { kept = multiply_bytes(rounds, left, right); });
  }
#endif
  static_cast<void>(seconds);
  return std::nullopt;
}

double read_gb_per_second(std::size_t kibibytes, double seconds) {
  constexpr std::size_t kFloats = 1024 / sizeof(float);
  if (kibibytes < 1 || kibibytes > (std::size_t{1} << 22)) {
    throw std::invalid_argument("read_gb_per_second: give 1 KiB to 4 GiB.");
  }
  static_assert(kFloats % kReadFloats == 0);
  const nb::gil_scoped_release released;
  const std::vector<float> memory(kibibytes * kFloats, 1.0f);
  const Read read = loops().read;
  volatile float kept = 0.0f;
  return best_rate(seconds, 1024.0 * static_cast<double>(kibibytes), [&](std::size_t times) {
    for (std::size_t time = 0; time < times; ++time) kept = read(memory.data(), memory.size());
  });
}

}  // namespace

void bind_peak(nb::module_& module) {
  module.def("float32_gflops", &float32_gflops, nb::arg("seconds"));
  module.def("int8_gops", &int8_gops, nb::arg("seconds"));
  module.def("read_gb_per_second", &read_gb_per_second, nb::arg("kibibytes"), nb::arg("seconds"));
}

}  // namespace synthhost
