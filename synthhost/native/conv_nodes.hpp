// The nodes that carry most of a network's weights: convolutions and transposed ones.
#pragma once

#include <memory>

#include "plan.hpp"

namespace synthhost {

// Weights as a network keeps them, borrowed while a node is built.
struct ConvWeights {
  const float* values = nullptr;  // [outputs, inputs, taps]; transposed: [inputs, outputs, taps]
  const float* bias = nullptr;    // [outputs]
  std::size_t outputs = 0, inputs = 0, taps = 0;
  std::size_t layers = 0;  // of 8-bit integers that `make_quantise` made of the input; 0: it is of float32
};

// What is done with the sums of a convolution.
struct Ending {
  int first = kNone, second = kNone;  // streams added to them
  float scale = 1.0f;                 // on all that
  int raw = kNone;                    // the stream that takes it
  int active = kNone;                 // the stream that takes max(y, slope * y)
  float slope = 0.0f;
};

// y(t) = bias + sum over taps of W(tap) x(t - left + tap * dilation), `right` moments longer at the end.
std::unique_ptr<Node> make_conv(Plan& plan, int input, const ConvWeights& weights, std::size_t dilation,
                                Count left, Count right, const Ending& ending);

// Input i reaches outputs i * stride - padding and `taps` - 1 more. A stream of n inputs has
// n * stride - padding + longer outputs.
std::unique_ptr<Node> make_transposed(Plan& plan, int input, const ConvWeights& weights, Count stride,
                                      Count padding, Count longer, const Ending& ending);

// 8-bit integers with a scale for every moment, in one layer or two; each takes `int8_width` channels.
std::unique_ptr<Node> make_quantise(const Plan& plan, int input, int output, std::size_t layers);

}  // namespace synthhost
