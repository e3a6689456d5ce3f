// Numpy's arrays as the loops take them: contiguous, on the processor, of the very type.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "packed.hpp"

namespace synthhost {

template <class T, int kAxes>
using Array = nanobind::ndarray<T, nanobind::ndim<kAxes>, nanobind::c_contig, nanobind::device::cpu>;

using Weights1 = Array<const float, 1>;
using Weights2 = Array<const float, 2>;
using Weights3 = Array<const float, 3>;

inline std::vector<float> floats_of(const Weights1& array) {
  return {array.data(), array.data() + array.size()};
}

inline std::vector<float> floats_of(const Weights2& array) {
  return {array.data(), array.data() + array.size()};
}

inline Matrix matrix_of(const Weights2& array) { return {array.data(), array.shape(0), array.shape(1)}; }

// The matrices of all layers below each other.
inline Matrix matrix_of(const Weights3& array) {
  return {array.data(), array.shape(0) * array.shape(1), array.shape(2)};
}

// Refuses an array whose rows or columns are not as many as asked for.
inline void expect_shape(const char* what, std::size_t rows, std::size_t columns, std::size_t wanted_rows,
                         std::size_t wanted_columns) {
  if (rows == wanted_rows && columns == wanted_columns) return;
  throw std::invalid_argument(std::string(what) + " is [" + std::to_string(rows) + ", " +
                              std::to_string(columns) + "], but this takes [" + std::to_string(wanted_rows) +
                              ", " + std::to_string(wanted_columns) + "].");
}

}  // namespace synthhost
