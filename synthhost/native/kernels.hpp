// The inner loops, compiled once for each level of processor and chosen at run time.
//
// A sum never depends on how many vectors are computed together, so any chunking gives the same bits.
#pragma once

#include <cstddef>

#include "processor.hpp"

namespace synthhost {

// Outputs of a packed matrix come in panels of so many rows; the last one may be half as wide.
inline constexpr std::size_t kPanel = 32;
inline constexpr std::size_t kHalfPanel = 16;

struct Kernels {
  // y += W x; `outputs` as padded by PackedMatrix, `y` has room for all of them.
  void (*product)(const float* packed, std::size_t inputs, std::size_t outputs, const float* x, float* y);

  // The same for `count` vectors, row n at `x + n * x_stride` and `y + n * y_stride`; for count > 1 faster.
  void (*products)(const float* packed, std::size_t inputs, std::size_t outputs, const float* x,
                   std::size_t x_stride, float* y, std::size_t y_stride, std::size_t count);

  // y = tanh(a) * sigmoid(b)
  void (*gate)(const float* a, const float* b, float* y, std::size_t count);

  void (*hyperbolic_tangent)(const float* x, float* y, std::size_t count);
  void (*sigmoid)(const float* x, float* y, std::size_t count);

  // x = max(x, 0)
  void (*rectify)(float* x, std::size_t count);

  // y = exp((x - peak) * sharpness) in double precision
  void (*exponentials)(const float* x, float peak, double sharpness, double* y, std::size_t count);
};

// Those of one level, which must be one of `processor_levels()`.
const Kernels& kernels(ProcessorLevel level);

}  // namespace synthhost
