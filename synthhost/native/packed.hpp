// Weights as the inner loops read them, and memory that vectors can be loaded from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "halves.hpp"
#include "kernels.hpp"

namespace synthhost {

// Memory at cache lines' borders; much of it at once at large pages' borders, and in such pages where the system has
// them: what is read in order then waits for fewer addresses.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  static constexpr std::align_val_t kLine{64};
  static constexpr std::size_t kLargePage = std::size_t{1} << 21;
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) noexcept {}
  static std::align_val_t border(std::size_t bytes) {
    return bytes >= kLargePage / 2 ? std::align_val_t{kLargePage} : kLine;
  }
  T* allocate(std::size_t count) {
    const std::size_t bytes = count * sizeof(T);
    void* memory = ::operator new(bytes, border(bytes));
#if defined(MADV_HUGEPAGE)
    if (bytes >= kLargePage / 2) madvise(memory, bytes, MADV_HUGEPAGE);  // a wish: what it answers is no matter
#endif
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t count) noexcept { ::operator delete(memory, border(count * sizeof(T))); }
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
  std::vector<float> columns_of(std::size_t first, std::size_t count) const {
    std::vector<float> some;
    for (std::size_t row = 0; row < rows; ++row) {
      const float* from = values + row * columns + first;
      some.insert(some.end(), from, from + count);
    }
    return some;
  }
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

inline std::size_t padded(std::size_t count) {
  return (count + kQuarterPanel - 1) / kQuarterPanel * kQuarterPanel;
}

// Adds `parts` values of `each`, every part padded.
inline void append_padded(Floats& to, const float* from, std::size_t parts, std::size_t each) {
  for (std::size_t part = 0; part < parts; ++part) {
    to.insert(to.end(), from + part * each, from + (part + 1) * each);
    to.resize(to.size() + padded(each) - each, 0.0f);
  }
}

enum class Precision { kFloat32, kFloat16 };

// "float32" or "float16". Throws std::invalid_argument.
inline Precision precision_named(const std::string& name) {
  if (name == "float32") return Precision::kFloat32;
  if (name == "float16") return Precision::kFloat16;
  throw std::invalid_argument("there is no precision '" + name.substr(0, 60) + "'; there are float32 and float16.");
}

// Several vectors that one matrix is multiplied by: y = from + W x of each.
template <std::size_t kMost>
struct Rows {
  const float* x[kMost];
  const float* from[kMost];
  float* y[kMost];
  std::size_t count = 0;

  void add(const float* input, const float* begun, float* output) {
    x[count] = input, from[count] = begun, y[count] = output;
    ++count;
  }

  // The same of a matrix whose first so many outputs are left out.
  Rows beyond(std::size_t outputs) const {
    Rows rows;
    for (std::size_t n = 0; n < count; ++n) rows.add(x[n], from[n] + outputs, y[n] + outputs);
    return rows;
  }
};

// Where a matrix lies among its network's.
struct PackedPlace {
  std::size_t at = 0;  // in bytes
  std::size_t inputs = 0;
  std::size_t outputs = 0;  // padded

  std::size_t panels() const { return (outputs + kPanel - 1) / kPanel; }  // the last may be narrower
};

// A network's matrices in one piece of memory, in the order in which they were added: best that of their use.
//
// A matrix `[rows, columns]` is laid out in panels: within one, input after input, all its rows beside each other.
// All is stored as numbers of one precision; sums are of float32 in any.
class PackedMatrices {
 public:
  explicit PackedMatrices(Precision precision)
      : precision_(precision), size_(precision == Precision::kFloat16 ? sizeof(std::uint16_t) : sizeof(float)) {}

  // Rows may come in parts, which each begin at a multiple of kQuarterPanel. Throws std::invalid_argument for
  // rows that the parts do not count, and for weights that the precision cannot hold.
  PackedPlace add(const Matrix& matrix, const std::vector<std::size_t>& parts) {
    PackedPlace packed{weights_.size(), matrix.columns, 0};
    std::size_t rows = 0;
    for (const std::size_t part : parts) rows += part, packed.outputs += padded(part);
    expect("the number of a matrix's rows", matrix.rows, rows);
    weights_.resize(packed.at + rounded(size_ * packed.inputs * packed.outputs), 0);
    std::size_t row = 0, output = 0;
    for (const std::size_t part : parts) {
      for (std::size_t n = 0; n < part; ++n) place(packed, matrix, row++, output + n);
      output += padded(part);
    }
    return packed;
  }
  PackedPlace add(const Matrix& matrix) { return add(matrix, {matrix.rows}); }

  // Adds a table whose rows are read as they are, each padded. Throws as above.
  PackedPlace add_table(const Matrix& table) {
    const PackedPlace packed{weights_.size(), table.rows, padded(table.columns)};
    weights_.resize(packed.at + rounded(size_ * packed.inputs * packed.outputs), 0);
    for (std::size_t n = 0; n < table.rows * table.columns; ++n) {
      write(packed.at, n / table.columns * packed.outputs + n % table.columns, table.values[n]);
    }
    return packed;
  }

  // y = from + W x
  void product(const Kernels& kernels, const PackedPlace& matrix, const float* x, const float* from,
               float* y) const {
    of(kernels).product({weights_.data() + matrix.at, matrix.inputs, matrix.outputs, x, from, y});
  }

  // The same of several vectors; the bits are those of one by one.
  template <std::size_t kMost>
  void product(const Kernels& kernels, const PackedPlace& matrix, const Rows<kMost>& rows) const {
    if (rows.count == 1) return product(kernels, matrix, rows.x[0], rows.from[0], rows.y[0]);
    of(kernels).products(weights_.data() + matrix.at, matrix.inputs, matrix.outputs, rows.x, rows.from, rows.y,
                         rows.count);
  }

  // A product, and beside it another whose weights may come from far away.
  template <std::size_t kMost>
  void product_beside(const Kernels& kernels, const PackedPlace& near, const Rows<kMost>& its,
                      const PackedPlace& far, const Rows<kMost>& others) const {
    if (its.count == 1 && others.count == 1) {
      of(kernels).product_beside(
          {weights_.data() + near.at, near.inputs, near.outputs, its.x[0], its.from[0], its.y[0]},
          {weights_.data() + far.at, far.inputs, far.outputs, others.x[0], others.from[0], others.y[0]});
    } else {
      product(kernels, near, its);
      if (others.count) product(kernels, far, others);
    }
  }

  // The panels `first` to before `last` of a matrix; what it gives begins at the output `first * kPanel`.
  PackedPlace part(const PackedPlace& matrix, std::size_t first, std::size_t last) const {
    const std::size_t begin = first * kPanel, end = last < matrix.panels() ? last * kPanel : matrix.outputs;
    return {matrix.at + size_ * begin * matrix.inputs, matrix.inputs, end - begin};
  }

  // y = the sum of some rows of a table
  void sum_of_rows(const Kernels& kernels, const PackedPlace& table, const std::size_t* rows, std::size_t count,
                   float* y) const {
    of(kernels).sum_of_rows(weights_.data() + table.at, rows, count, table.outputs, y);
  }

  std::size_t bytes() const { return weights_.size(); }

 private:
  const WeightKernels& of(const Kernels& kernels) const {
    return precision_ == Precision::kFloat16 ? kernels.float16 : kernels.float32;
  }

  static std::size_t rounded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

  void place(const PackedPlace& packed, const Matrix& matrix, std::size_t row, std::size_t output) {
    const std::size_t tail = packed.outputs / kPanel * kPanel, half = kPanel / 2;
    std::size_t panel = output / kPanel * kPanel, width = kPanel;
    if (panel == tail) {
      const bool halved = packed.outputs - tail >= half;
      width = halved && output < tail + half ? half : kQuarterPanel;
      if (width == kQuarterPanel && halved) panel += half;
    }
    const std::size_t first = panel * packed.inputs + (output - panel);
    for (std::size_t i = 0; i < packed.inputs; ++i) {
      write(packed.at, first + i * width, matrix.values[row * packed.inputs + i]);
    }
  }

  void write(std::size_t at, std::size_t index, float value) {
    if (size_ == sizeof(float)) {
      std::memcpy(weights_.data() + at + index * size_, &value, size_);
    } else {
      const std::uint16_t half = half_of(value);
      std::memcpy(weights_.data() + at + index * size_, &half, size_);
    }
  }

  Precision precision_;
  std::size_t size_;  // of a number, in bytes
  std::vector<unsigned char, AlignedAllocator<unsigned char>> weights_;
};

// One matrix by itself, of float32.
class PackedMatrix {
 public:
  explicit PackedMatrix(const Matrix& matrix) : place_(matrices_.add(matrix)) {}

  // y += W x; `y` has room for all outputs, padded.
  void add_product(const Kernels& kernels, const float* x, float* y) const {
    matrices_.product(kernels, place_, x, y, y);
  }

 private:
  PackedMatrices matrices_{Precision::kFloat32};
  PackedPlace place_;
};

}  // namespace synthhost
