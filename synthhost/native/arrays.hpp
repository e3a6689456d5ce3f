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

// Sounds of voices, `[voices, samples]`; between voices there may be more.
using Voices = nanobind::ndarray<float, nanobind::ndim<2>, nanobind::device::cpu>;

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

// Refuses what is not so many voices, each `[rows, columns]`.
template <class T>
void expect_voices(const char* what, const Array<T, 3>& array, std::size_t voices, std::size_t rows,
                   std::size_t columns) {
  expect((std::string("the number of voices in ") + what).c_str(), array.shape(0), voices);
  expect_shape(what, array.shape(1), array.shape(2), rows, columns);
}

template <class T>
const T* of_voice(const Array<const T, 3>& array, std::size_t voice) {
  return array.data() + voice * array.shape(1) * array.shape(2);
}

// Refuses what is not dense within a voice.
inline void expect_dense(const Voices& out) {
  if (out.shape(1) > 1 && out.stride(1) != 1) {
    throw std::invalid_argument("out's samples do not lie beside each other; give an array in C's order.");
  }
}

// Refuses states of which two are one: voices in step must be different ones.
template <class State>
void expect_different(const std::vector<State*>& states) {
  for (std::size_t a = 0; a < states.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      if (states[a] == states[b]) throw std::invalid_argument("two voices have one and the same state.");
    }
  }
}

}  // namespace synthhost
