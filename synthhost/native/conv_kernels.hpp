// The inner loops of streaming convolutions, compiled once for each level of processor.
//
// Every output is one sum, begun with its bias, over taps and within a tap over inputs, in order. It never
// depends on what is computed beside it, so any chunking and any layout give the same bits on one level.
#pragma once

#include <cstddef>

#include "processor.hpp"

namespace synthhost {

// What becomes of the sums. "Outer" counts what comes one after the other (moments, or channels where the
// layout is channel-major), the other axis lies dense in memory.
struct Epilogue {
  const float* first = nullptr;   // added to the sums, if there
  const float* second = nullptr;  // the same
  std::size_t first_stride = 0;   // floats between outer places
  std::size_t second_stride = 0;
  float scale = 1.0f;             // on all that
  float* raw = nullptr;           // written, if there
  float* active = nullptr;        // written with max(y, slope * y), if there
  std::size_t raw_stride = 0;
  std::size_t active_stride = 0;
  float slope = 0.0f;             // 0 to 1
};

// Time-major: one row of inputs a moment.
struct RowsCall {
  const float* x = nullptr;      // the first tap of the first output
  std::size_t x_stride = 0;      // floats between moments
  std::size_t tap_stride = 0;    // floats between taps
  const float* weights = nullptr;  // in panels, see pack_rows
  const float* bias = nullptr;     // padded with zeros to whole panels
  std::size_t taps = 0, inputs = 0, outputs = 0;  // outputs: a multiple of kRowLanes
  std::size_t rows = 0;
  Epilogue end;
};

// Channel-major: time lies dense. Outputs beyond `count` are written up to a whole vector: leave room.
struct ColumnsCall {
  const float* x = nullptr;        // the first tap of the first output of channel 0
  std::size_t x_stride = 0;        // floats between channels
  std::size_t dilation = 0;        // floats between taps
  const float* weights = nullptr;  // in blocks of channels, see pack_columns
  const float* bias = nullptr;
  std::size_t taps = 0, inputs = 0, outputs = 0;
  std::size_t count = 0;
  Epilogue end;
};

// Time-major: y = shift + scale * x, channel by channel; `film` holds a moment's shifts, then its scales.
struct ModulateCall {
  const float* x = nullptr;
  std::size_t x_stride = 0;  // floats between moments
  const float* film = nullptr;
  std::size_t film_stride = 0;
  std::size_t channels = 0;
  std::size_t rows = 0;
  Epilogue end;
};

inline constexpr std::size_t kRowLanes = 16;     // rows of time-major streams are so many floats wide, or a multiple
inline constexpr std::size_t kColumnBlock = 8;   // channels computed together in channel-major streams
inline constexpr std::size_t kPrefetched = 1024; // floats of weights that are fetched ahead
inline constexpr std::size_t kOverrun = 16;      // floats that may be read and written beyond what is asked for

// As many floats as whole vectors hold.
inline std::size_t whole_lanes(std::size_t count) { return (count + kRowLanes - 1) / kRowLanes * kRowLanes; }

struct ConvKernels {
  std::size_t panel;  // outputs whose weights lie beside each other in `RowsCall::weights`
  void (*rows)(const RowsCall& call);
  void (*columns)(const ColumnsCall& call);

  // The sum of dense arrays, each times its weight; `active` takes max(y, slope * y).
  void (*mix)(const float* const* from, const float* weights, std::size_t inputs, std::size_t count,
              float* raw, float* active, float slope);

  void (*modulate)(const ModulateCall& call);
};

// Those of one level, which must be one of `processor_levels()`.
const ConvKernels& conv_kernels(ProcessorLevel level);

}  // namespace synthhost
