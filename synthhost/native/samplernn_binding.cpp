// SampleRNN's loop for Python.
#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include <tuple>

#include "arrays.hpp"
#include "bindings.hpp"
#include "samplernn_loop.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace synthhost {

namespace {

SampleRnnTierWeights tier_of(const Weights2& input, const Weights1& input_bias, const Weights3& from_input,
                             const Weights2& from_input_bias, const Weights3& from_hidden,
                             const Weights2& from_hidden_bias, const Weights2& start, const Weights3& upsampling,
                             const Weights2& upsampling_bias) {
  SampleRnnTierWeights tier;
  tier.input = matrix_of(input);
  tier.input_bias = floats_of(input_bias);
  tier.from_input = matrix_of(from_input);
  tier.from_input_bias = floats_of(from_input_bias);
  tier.from_hidden = matrix_of(from_hidden);
  tier.from_hidden_bias = floats_of(from_hidden_bias);
  tier.start = floats_of(start);
  tier.upsampling = matrix_of(upsampling);
  tier.upsampling_bias = floats_of(upsampling_bias);
  return tier;
}

}  // namespace

}  // namespace synthhost
