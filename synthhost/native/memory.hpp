// Memory for what a step reads from end to end: at cache lines' borders, in large pages where the system has them.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace synthhost {

class Memory {
 public:
  Memory() = default;
  explicit Memory(std::size_t floats) {
    const std::size_t bytes = (floats * sizeof(float) + kLargePage - 1) / kLargePage * kLargePage;
    floats_ = static_cast<float*>(std::aligned_alloc(bytes >= 2 * kLargePage ? kLargePage : kLine, bytes));
    if (!floats_) throw std::bad_alloc();
#if defined(__linux__)
    if (bytes >= 2 * kLargePage) madvise(floats_, bytes, MADV_HUGEPAGE);  // advice: what comes of it is the system's
#endif
  }
  ~Memory() { std::free(floats_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  Memory& operator=(Memory&& other) noexcept {
    std::swap(floats_, other.floats_);
    return *this;
  }

  float* floats() const { return floats_; }

 private:
  static constexpr std::size_t kLargePage = std::size_t{1} << 21;
  static constexpr std::size_t kLine = 64;
  float* floats_ = nullptr;
};

}  // namespace synthhost
