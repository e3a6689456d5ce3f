// The text of the convolutions' inner loops, included once for each level with SYNTHHOST_LEVEL,
// SYNTHHOST_LANES and SYNTHHOST_ROWS (how many rows of two vectors the registers hold) set.
#include <cstddef>
#include <cstring>

#include "conv_kernels.hpp"

namespace synthhost::SYNTHHOST_LEVEL {
namespace {

#include "lanes.hpp"
#include "finishing.hpp"

constexpr std::size_t kLanes = SYNTHHOST_LANES;
constexpr std::size_t kRows = SYNTHHOST_ROWS;
constexpr std::size_t kLine = 16;  // floats of a cache line

// `kRow` moments times `kPanels` panels of `kVectors` vectors of outputs.
template <std::size_t kRow, std::size_t kVectors, std::size_t kPanels>
void row_tile(const RowsCall& call, std::size_t row, std::size_t output) {
  const std::size_t inputs = call.inputs, stride = call.x_stride;
  const std::size_t panel = kVectors * kLanes * call.taps * inputs;
  const float* w = call.weights + output * call.taps * inputs;
  const float* x = call.x + row * stride;
  Lanes sums[kPanels][kRow][kVectors];
#pragma GCC unroll 8
  for (std::size_t p = 0; p < kPanels; ++p) {
#pragma GCC unroll 32
    for (std::size_t r = 0; r < kRow; ++r) {
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        sums[p][r][v] = load(call.bias + output + (p * kVectors + v) * kLanes);
      }
    }
  }
  for (std::size_t tap = 0; tap < call.taps; ++tap) {
    // Three pointers, so that every row is one of them plus 0 to 3 strides.
    const float* low = x + tap * call.tap_stride;
    const float* middle = low + 4 * stride;
    const float* high = low + 8 * stride;
    for (std::size_t i = 0; i < inputs; ++i, ++low, ++middle, ++high, w += kVectors * kLanes) {
      if constexpr (kRow < kRows && kVectors > 1) {  // weights come from afar and are soon used up
#pragma GCC unroll 8
        for (std::size_t p = 0; p < kPanels; ++p) {
#pragma GCC unroll 8
          for (std::size_t line = 0; line < kVectors * kLanes; line += kLine) {
            prefetch(w + p * panel + line + kPrefetched);
          }
        }
      }
      Lanes column[kPanels][kVectors];
#pragma GCC unroll 8
      for (std::size_t p = 0; p < kPanels; ++p) {
#pragma GCC unroll 8
        for (std::size_t v = 0; v < kVectors; ++v) column[p][v] = load(w + p * panel + v * kLanes);
      }
#pragma GCC unroll 32
      for (std::size_t r = 0; r < kRow; ++r) {
        const float* from = r < 4 ? low : r < 8 ? middle : high;
        const Lanes value = splat(from[r % 4 * stride]);
#pragma GCC unroll 8
        for (std::size_t p = 0; p < kPanels; ++p) {
#pragma GCC unroll 8
          for (std::size_t v = 0; v < kVectors; ++v) sums[p][r][v] = sums[p][r][v] + value * column[p][v];
        }
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t p = 0; p < kPanels; ++p) {
#pragma GCC unroll 32
    for (std::size_t r = 0; r < kRow; ++r) {
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        finish(sums[p][r][v], call.end, row + r, output + (p * kVectors + v) * kLanes);
      }
    }
  }
}

// Runs the tile of so many rows, at most kMost.
template <std::size_t kMost, std::size_t kVectors, std::size_t kPanels>
inline void tile_of(const RowsCall& call, std::size_t row, std::size_t rows, std::size_t output) {
  if constexpr (kMost > 1) {
    if (rows < kMost) return tile_of<kMost - 1, kVectors, kPanels>(call, row, rows, output);
  }
  row_tile<kMost, kVectors, kPanels>(call, row, output);
}

// All rows of some panels, in tiles of nearly the same size.
template <std::size_t kMost, std::size_t kVectors, std::size_t kPanels>
inline void all_rows(const RowsCall& call, std::size_t output) {
  const std::size_t tiles = (call.rows + kMost - 1) / kMost;
  for (std::size_t n = 0, row = 0; n < tiles; ++n) {
    const std::size_t rows = (call.rows - row + tiles - n - 1) / (tiles - n);
    tile_of<kMost, kVectors, kPanels>(call, row, rows, output);
    row += rows;
  }
}

// Few rows leave registers free for more panels, which keeps the multipliers busy.
void rows(const RowsCall& call) {
  constexpr std::size_t kWide = 2 * kLanes;
  std::size_t output = 0;
  if (call.rows <= kRows / 4) {
    for (; output + 4 * kWide <= call.outputs; output += 4 * kWide) all_rows<kRows / 4, 2, 4>(call, output);
  }
  if (call.rows <= kRows / 2) {
    for (; output + 2 * kWide <= call.outputs; output += 2 * kWide) all_rows<kRows / 2, 2, 2>(call, output);
  }
  for (; output + kWide <= call.outputs; output += kWide) all_rows<kRows, 2, 1>(call, output);
  if (output < call.outputs) all_rows<kRows, 1, 1>(call, output);
}

// `kOuts` channels times `kVectors` vectors of time.
template <std::size_t kOuts, std::size_t kVectors>
void column_tile(const ColumnsCall& call, std::size_t output, std::size_t at) {
  const float* w = call.weights + output * call.taps * call.inputs;
  Lanes sums[kOuts][kVectors];
#pragma GCC unroll 8
  for (std::size_t o = 0; o < kOuts; ++o) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) sums[o][v] = splat(call.bias[output + o]);
  }
  for (std::size_t tap = 0; tap < call.taps; ++tap) {
    const float* x = call.x + at + tap * call.dilation;
    for (std::size_t i = 0; i < call.inputs; ++i, x += call.x_stride, w += kOuts) {
      Lanes moments[kVectors];
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) moments[v] = load(x + v * kLanes);
#pragma GCC unroll 8
      for (std::size_t o = 0; o < kOuts; ++o) {
        const Lanes weight = splat(w[o]);
#pragma GCC unroll 8
        for (std::size_t v = 0; v < kVectors; ++v) sums[o][v] = sums[o][v] + moments[v] * weight;
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t o = 0; o < kOuts; ++o) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) finish(sums[o][v], call.end, output + o, at + v * kLanes);
  }
}

template <std::size_t kOuts, std::size_t kVectors>
inline void all_columns(const ColumnsCall& call, std::size_t output) {
  std::size_t at = 0;
  for (; at + kVectors * kLanes <= call.count; at += kVectors * kLanes) {
    column_tile<kOuts, kVectors>(call, output, at);
  }
  for (; at < call.count; at += kLanes) column_tile<kOuts, 1>(call, output, at);
}

void columns(const ColumnsCall& call) {
  constexpr std::size_t kBusy = kRows >= 12 ? 24 : 12;  // registers of sums
  std::size_t output = 0;
  for (; output + 8 <= call.outputs; output += 8) all_columns<8, kBusy / 8>(call, output);
  if (output + 4 <= call.outputs) all_columns<4, kBusy / 6>(call, output), output += 4;
  if (output + 2 <= call.outputs) all_columns<2, kBusy / 4>(call, output), output += 2;
  if (output < call.outputs) all_columns<1, kBusy / 3>(call, output);
}

void mix(const float* const* from, const float* weights, std::size_t inputs, std::size_t count, float* raw,
         float* active, float slope) {
  const Lanes gentle = splat(slope);
  for (std::size_t at = 0; at < count; at += kLanes) {
    Lanes y = load(from[0] + at) * splat(weights[0]);
    for (std::size_t n = 1; n < inputs; ++n) y = y + load(from[n] + at) * splat(weights[n]);
    if (raw) store(raw + at, y);
    if (active) store(active + at, larger(y, y * gentle));
  }
}

void modulate(const ModulateCall& call) {
  for (std::size_t row = 0; row < call.rows; ++row) {
    const float* x = call.x + row * call.x_stride;
    const float* shift = call.film + row * call.film_stride;
    const float* scale = shift + call.channels;
    for (std::size_t c = 0; c < call.channels; c += kLanes) {
      finish(load(shift + c) + load(scale + c) * load(x + c), call.end, row, c);
    }
  }
}

}  // namespace

extern const ConvKernels kConvKernels;
const ConvKernels kConvKernels = {2 * kLanes, rows, columns, mix, modulate};

}  // namespace synthhost::SYNTHHOST_LEVEL
