// The inner loops, compiled once for each level of processor and chosen at run time.
//
// A sum never depends on how many vectors are computed together, so any chunking and any number of voices give
// the same bits.
#pragma once

#include <cstddef>

#include "processor.hpp"

namespace synthhost {

// Outputs of a packed matrix come in panels of so many rows; the last two may be a half and a quarter as wide.
inline constexpr std::size_t kPanel = 64;
inline constexpr std::size_t kQuarterPanel = 16;

// y = from + W x; `outputs` as padded by PackedMatrices, `from` and `y` have so many, and may be one.
struct Product {
  const void* packed;
  std::size_t inputs, outputs;
  const float* x;
  const float* from;
  float* y;
};

// What reads weights, of one type of number.
struct WeightKernels {
  void (*product)(const Product& product);

  // Two of them, turn by turn where both have equally many inputs: while the weights of one come from far away,
  // the other is at work.
  void (*product_beside)(const Product& near, const Product& far);

  // The same for `count` vectors each, with the weights read once; the bits are those of one by one.
  void (*products)(const void* packed, std::size_t inputs, std::size_t outputs, const float* const* x,
                   const float* const* from, float* const* y, std::size_t count);

  // y = the sum of `count` rows of a table, each `width` wide, a multiple of kQuarterPanel.
  void (*sum_of_rows)(const void* table, const std::size_t* rows, std::size_t count, std::size_t width, float* y);
};

struct Kernels {
  WeightKernels float32, float16;

  // y = tanh(a) * sigmoid(b)
  void (*gate)(const float* a, const float* b, float* y, std::size_t count);

  void (*hyperbolic_tangent)(const float* x, float* y, std::size_t count);
  void (*sigmoid)(const float* x, float* y, std::size_t count);

  // y = max(x, 0)
  void (*rectify)(const float* x, float* y, std::size_t count);

  // y = scale * x + bias
  void (*scale)(float scale, const float* x, const float* bias, float* y, std::size_t count);

  // The greatest of `count` values, at least one, none of them NaN.
  float (*greatest)(const float* x, std::size_t count);

  // y = exp((x - peak) * sharpness) in double precision; `sums` gets the sum of every 16, the last of the rest.
  void (*exponentials)(const float* x, float peak, double sharpness, double* y, double* sums, std::size_t count);

  // y += (from + (to - from) * glide) * x
  void (*add_glided)(const float* x, float from, float to, const float* glide, float* y, std::size_t count);

  // The same of x = sin(2 pi * place * cycles).
  void (*add_sine)(const double* cycles, double place, float from, float to, const float* glide, float* y,
                   std::size_t count);
};

// Those of one level, which must be one of `processor_levels()`.
const Kernels& kernels(ProcessorLevel level);

}  // namespace synthhost
