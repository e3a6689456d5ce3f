#include "row_products.hpp"

#include <algorithm>
#include <cmath>

namespace synthhost {

namespace {

constexpr std::size_t kPartsEach = 2;            // for every thread: who comes late finds something left
constexpr std::size_t kFewestProducts = 150000;  // of a part: about two microseconds
constexpr std::size_t kRowsEach = 12;            // of a part at least, which are a whole tile of float32

// A part of a product's rows and outputs.
struct Share {
  std::size_t row = 0, rows = 0, output = 0, outputs = 0;
};

// Cuts rows where there are many, which leaves every thread all outputs, and else outputs, which leaves each its
// own weights to read.
class Cut {
 public:
  Cut(const Crew::Shift& shift, std::size_t rows, std::size_t outputs, std::size_t panel, std::size_t products)
      : rows_(rows), outputs_(outputs), panel_(panel), panels_((outputs + panel - 1) / panel) {
    const std::size_t wanted = worthwhile_parts(shift, products);
    by_rows_ = rows >= wanted * kRowsEach;
    parts_ = std::max<std::size_t>(1, by_rows_ ? wanted : std::min(wanted, panels_));
  }
  std::size_t parts() const { return parts_; }
  Share share(std::size_t n) const {
    if (by_rows_) {
      const std::size_t first = rows_ * n / parts_;
      return {first, rows_ * (n + 1) / parts_ - first, 0, outputs_};
    }
    const std::size_t first = panels_ * n / parts_ * panel_;
    return {0, rows_, first, std::min(panels_ * (n + 1) / parts_ * panel_, outputs_) - first};
  }

 private:
  std::size_t rows_, outputs_, panel_, panels_, parts_;
  bool by_rows_;
};

// Panels of outputs; within one, tap after tap and input after input, its outputs beside each other. The last
// panel is as narrow as what is left.
Floats pack_rows(const ProductSizes& sizes, std::size_t panel, const Weight& weight) {
  const std::size_t padded = whole_lanes(sizes.outputs);
  Floats packed(padded * sizes.inputs * sizes.taps, 0.0f);
  std::size_t at = 0;
  for (std::size_t first = 0; first < padded;) {
    const std::size_t width = std::min(panel, padded - first);
    const std::size_t last = std::min(first + width, sizes.outputs);
    for (std::size_t tap = 0; tap < sizes.taps; ++tap) {
      for (std::size_t i = 0; i < sizes.inputs; ++i, at += width) {
        for (std::size_t o = first; o < last; ++o) packed[at + o - first] = weight(o, i, tap);
      }
    }
    first += width;
  }
  return packed;
}

class FloatProduct : public RowProduct {
 public:
  FloatProduct(Plan& plan, const ProductSizes& sizes, const Floats& bias, const Weight& weight)
      : kernels_(plan.conv_kernels()), sizes_(sizes), bias_(bias) {
    place_ = plan.store(pack_rows(sizes, kernels_.panel, weight));
  }

  void run(const Plan& plan, const RowsFrom& from, std::size_t rows, const Epilogue& end,
           Crew::Shift& shift) const override {
    const std::size_t each = sizes_.taps * sizes_.inputs;
    const Cut cut(shift, rows, bias_.size(), kernels_.panel, rows * bias_.size() * each);
    shift.share(cut.parts(), [&](std::size_t n) {
      const Share share = cut.share(n);
      kernels_.rows({.x = from.x + share.row * from.x_stride, .x_stride = from.x_stride,
                     .tap_stride = from.tap_stride, .weights = plan.weights(place_) + share.output * each,
                     .bias = bias_.data() + share.output, .taps = sizes_.taps, .inputs = sizes_.inputs,
                     .outputs = share.outputs, .rows = share.rows, .end = moved(end, share.row, share.output)});
    });
  }

 private:
  const ConvKernels& kernels_;
  const ProductSizes sizes_;
  const Floats bias_;
  std::size_t place_ = 0;
};

class Int8Product : public RowProduct {
 public:
  Int8Product(Plan& plan, const ProductSizes& sizes, std::size_t layers, const Floats& bias, const Weight& weight)
      : kernels_(plan.int8_kernels()),
        sizes_(sizes),
        layers_(layers),
        groups_(int8_groups(sizes.inputs)),
        bias_(bias) {
    scales_.assign(bias.size(), 0.0f);
    for (std::size_t o = 0; o < sizes.outputs; ++o) scales_[o] = largest(o, weight) / 127.0f;
    place_ = plan.store(packed(weight));
  }

  void run(const Plan& plan, const RowsFrom& from, std::size_t rows, const Epilogue& end,
           Crew::Shift& shift) const override {
    const std::size_t each = sizes_.taps * groups_ * kInt8Group;
    const auto* weights = reinterpret_cast<const std::uint8_t*>(plan.weights(place_));
    const Cut cut(shift, rows, bias_.size(), 2 * kInt8Lanes, rows * bias_.size() * each * layers_ / kFaster);
    shift.share(cut.parts(), [&](std::size_t n) {
      const Share share = cut.share(n);
      kernels_.rows({.x = from.x + share.row * from.x_stride, .x_stride = from.x_stride,
                     .tap_stride = from.tap_stride, .weights = weights + share.output * each,
                     .scales = scales_.data() + share.output, .bias = bias_.data() + share.output,
                     .taps = sizes_.taps, .groups = groups_, .outputs = share.outputs, .layers = layers_,
                     .rows = share.rows, .end = moved(end, share.row, share.output)});
    });
  }

 private:
  static constexpr std::size_t kFaster = 3;  // than float32

  float largest(std::size_t o, const Weight& weight) const {
    float found = 0.0f;
    for (std::size_t tap = 0; tap < sizes_.taps; ++tap) {
      for (std::size_t i = 0; i < sizes_.inputs; ++i) found = std::max(found, std::fabs(weight(o, i, tap)));
    }
    return found;
  }

  // Panels of kInt8Lanes outputs; within one, tap after tap and group after group, its outputs beside each other.
  Floats packed(const Weight& weight) const {
    Floats made(bias_.size() * sizes_.taps * groups_);
    auto* to = reinterpret_cast<std::uint8_t*>(made.data());
    for (std::size_t first = 0; first < bias_.size(); first += kInt8Lanes) {
      for (std::size_t tap = 0; tap < sizes_.taps; ++tap) {
        for (std::size_t group = 0; group < groups_; ++group) {
          for (std::size_t o = first; o < first + kInt8Lanes; ++o) {
            for (std::size_t i = group * kInt8Group; i < (group + 1) * kInt8Group; ++i) {
              *to++ = static_cast<std::uint8_t>(rounded(o, i, tap, weight) + kInt8Weight);
            }
          }
        }
      }
    }
    return made;
  }

  int rounded(std::size_t o, std::size_t i, std::size_t tap, const Weight& weight) const {
    if (i >= sizes_.inputs || !(scales_[o] > 0.0f)) return 0;
    return static_cast<int>(std::lrint(std::clamp(weight(o, i, tap) / scales_[o], -127.0f, 127.0f)));
  }

  const Int8Kernels& kernels_;
  const ProductSizes sizes_;
  const std::size_t layers_, groups_;
  const Floats bias_;
  Floats scales_;
  std::size_t place_ = 0;
};

}  // namespace

Epilogue moved(const Epilogue& end, std::size_t outer, std::size_t inner) {
  Epilogue other = end;
  if (end.first) other.first += outer * end.first_stride + inner;
  if (end.second) other.second += outer * end.second_stride + inner;
  if (end.raw) other.raw += outer * end.raw_stride + inner;
  if (end.active) other.active += outer * end.active_stride + inner;
  return other;
}

std::size_t worthwhile_parts(const Crew::Shift& shift, std::size_t products) {
  if (shift.threads() < 2) return 1;
  return std::clamp<std::size_t>(products / kFewestProducts, 1, kPartsEach * shift.threads());
}

std::unique_ptr<RowProduct> make_row_product(Plan& plan, const ProductSizes& sizes, const Floats& bias,
                                             const Weight& weight) {
  return std::make_unique<FloatProduct>(plan, sizes, bias, weight);
}

std::unique_ptr<RowProduct> make_int8_row_product(Plan& plan, const ProductSizes& sizes, std::size_t layers,
                                                  const Floats& bias, const Weight& weight) {
  return std::make_unique<Int8Product>(plan, sizes, layers, bias, weight);
}

}  // namespace synthhost
