// Weights as the inner loops read them, and memory that vectors can be loaded from.
#pragma once

#include <cstddef>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels.hpp"

namespace synthhost {

// Memory at cache lines' borders.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  static constexpr std::align_val_t kAlignment{64};
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) noexcept {}
  T* allocate(std::size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), kAlignment)); }
  void deallocate(T* memory, std::size_t) noexcept { ::operator delete(memory, kAlignment); }
  bool operator==(const AlignedAllocator&) const noexcept { return true; }
};

using Floats = std::vector<float, AlignedAllocator<float>>;
using Doubles = std::vector<double, AlignedAllocator<double>>;

// Someone else's array, row-major.
struct Matrix {
  const float* values = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;

  Matrix part(std::size_t first, std::size_t count) const { return {values + first * columns, count, columns}; }
};

// Refuses a size that is not what the others ask for.
inline void expect(const char* what, std::size_t found, std::size_t wanted) {
  if (found != wanted) {
    throw std::invalid_argument(std::string(what) + " is " + std::to_string(found) + ", but the rest needs " +
                                std::to_string(wanted) + ".");
  }
}

// Returns a size that may not be 0.
inline std::size_t at_least_one(const char* what, std::size_t found) {
  if (found == 0) throw std::invalid_argument(std::string(what) + " is 0; there must be at least 1.");
  return found;
}

inline std::size_t padded(std::size_t count) { return (count + kHalfPanel - 1) / kHalfPanel * kHalfPanel; }

// Adds `parts` values of `each`, every part padded.
inline void append_padded(Floats& to, const float* from, std::size_t parts, std::size_t each) {
  for (std::size_t part = 0; part < parts; ++part) {
    to.insert(to.end(), from + part * each, from + (part + 1) * each);
    to.resize(to.size() + padded(each) - each, 0.0f);
  }
}

// A matrix `[rows, columns]` laid out in panels: within one, input after input, all its rows beside each
// other. Rows may come in parts that each begin at a multiple of kHalfPanel; `outputs` counts the padding.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  explicit PackedMatrix(const Matrix& matrix) : PackedMatrix(matrix, std::vector<std::size_t>{matrix.rows}) {}
  PackedMatrix(const Matrix& matrix, const std::vector<std::size_t>& parts) : inputs_(matrix.columns) {
    std::size_t rows = 0;
    for (const std::size_t part : parts) rows += part, outputs_ += padded(part);
    expect("the number of a matrix's rows", matrix.rows, rows);
    weights_.assign(inputs_ * outputs_, 0.0f);
    std::size_t row = 0, output = 0;
    for (const std::size_t part : parts) {
      for (std::size_t n = 0; n < part; ++n) place(matrix, row++, output + n);
      output += padded(part);
    }
  }

  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }

  // y += W x
  void add_product(const Kernels& kernels, const float* x, float* y) const {
    kernels.product(weights_.data(), inputs_, outputs_, x, y);
  }
  void add_products(const Kernels& kernels, const float* x, std::size_t x_stride, float* y,
                    std::size_t y_stride, std::size_t count) const {
    kernels.products(weights_.data(), inputs_, outputs_, x, x_stride, y, y_stride, count);
  }

 private:
  void place(const Matrix& matrix, std::size_t row, std::size_t output) {
    const std::size_t panel = output / kPanel * kPanel;
    const std::size_t width = outputs_ - panel < kPanel ? kHalfPanel : kPanel;
    float* to = weights_.data() + panel * inputs_ + (output - panel);
    for (std::size_t i = 0; i < inputs_; ++i) to[i * width] = matrix.values[row * inputs_ + i];
  }

  std::size_t inputs_ = 0, outputs_ = 0;
  Floats weights_;
};

}  // namespace synthhost
