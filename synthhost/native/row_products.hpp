// What convolutions of time-major streams come down to: rows of inputs times weights, at several taps.
#pragma once

#include <functional>
#include <memory>

#include "crew.hpp"
#include "plan.hpp"

namespace synthhost {

// W[output][input][tap], wherever it lies.
using Weight = std::function<float(std::size_t output, std::size_t input, std::size_t tap)>;

struct ProductSizes {
  std::size_t outputs = 0, inputs = 0, taps = 0;
};

// Where the rows lie that a product reads.
struct RowsFrom {
  const float* x = nullptr;    // the first tap of the first row
  std::size_t x_stride = 0;    // floats between moments
  std::size_t tap_stride = 0;  // floats between taps
};

class RowProduct {
 public:
  virtual ~RowProduct() = default;
  // Computes `rows` moments of all outputs; the ending takes them in whole vectors.
  virtual void run(const Plan& plan, const RowsFrom& from, std::size_t rows, const Epilogue& end,
                   Crew::Shift& shift) const = 0;
};

// In float32. `bias` is as long as the outputs in whole vectors.
std::unique_ptr<RowProduct> make_row_product(Plan& plan, const ProductSizes& sizes, const Floats& bias,
                                             const Weight& weight);

// In 8-bit integers, for rows as `QuantiseCall` makes them, in so many layers.
std::unique_ptr<RowProduct> make_int8_row_product(Plan& plan, const ProductSizes& sizes, std::size_t layers,
                                                  const Floats& bias, const Weight& weight);

// The ending of what begins at another place.
Epilogue moved(const Epilogue& end, std::size_t outer, std::size_t inner);

// How many parts work is worth cutting into, each of no less than a few microseconds.
std::size_t worthwhile_parts(const Crew::Shift& shift, std::size_t products);

}  // namespace synthhost
