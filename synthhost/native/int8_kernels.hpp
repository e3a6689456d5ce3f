// The inner loops of convolutions of 8-bit integers, compiled once for each way of multiplying them.
//
// A moment is quantised by itself: its scale is its largest value over 127. So a result never depends on what is
// computed beside it, any chunking gives the same bits, and nothing has to be calibrated. Where few channels are
// much louder than the others that is too coarse; then what was rounded away is quantised once more, as a second
// layer. Weights have a scale for every output. Sums over the inputs of one tap and layer are exact; they are
// added in order, in float32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "conv_kernels.hpp"
#include "processor.hpp"

namespace synthhost {

inline constexpr std::size_t kInt8Group = 4;       // inputs that are multiplied and added by one instruction
inline constexpr int kInt8Weight = 128;            // what is added to stored weights, to make them unsigned
inline constexpr std::size_t kInt8Lanes = 16;      // outputs whose weights lie beside each other

// Floats of one layer of a quantised moment of so many channels: four integers in each, its scale, and as an
// integer kInt8Weight times their sum.
inline std::size_t int8_groups(std::size_t channels) { return (channels + kInt8Group - 1) / kInt8Group; }
inline std::size_t int8_width(std::size_t channels) { return int8_groups(channels) + 2; }

struct QuantiseCall {
  const float* x = nullptr;  // [rows, channels]
  std::size_t x_stride = 0;
  float* y = nullptr;        // [rows, layers, int8_width(channels)], every row writable up to whole lanes
  std::size_t y_stride = 0;
  std::size_t channels = 0, rows = 0;
  std::size_t layers = 1;    // 1 or 2
};

// As `RowsCall`, with quantised inputs.
struct Int8RowsCall {
  const float* x = nullptr;  // the first tap of the first output, as quantised
  std::size_t x_stride = 0;
  std::size_t tap_stride = 0;
  const std::uint8_t* weights = nullptr;  // panel by panel of kInt8Lanes outputs: tap, group, output, input in it
  const float* scales = nullptr;          // of the weights of every output
  const float* bias = nullptr;
  std::size_t taps = 0, groups = 0, outputs = 0;  // outputs: a multiple of kInt8Lanes
  std::size_t layers = 1;
  std::size_t rows = 0;
  Epilogue end;
};

struct Int8Kernels {
  const char* name;  // of the instructions that multiply
  void (*quantise)(const QuantiseCall& call);
  void (*rows)(const Int8RowsCall& call);
};

// All that a level offers on this processor, the slowest first.
std::vector<const Int8Kernels*> int8_kernels(ProcessorLevel level);

// The one of that name, "" being the fastest. Throws std::invalid_argument if it cannot run here.
const Int8Kernels& int8_kernels(ProcessorLevel level, const std::string& name);

}  // namespace synthhost
