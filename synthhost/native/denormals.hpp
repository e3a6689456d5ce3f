// Numbers too small to matter cost a hundred times as much; while a loop runs they count as zero.
#pragma once

#include <cstdint>

#if defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace synthhost {

// Sets the processor's flags for as long as it lives and puts them back.
class FlushDenormals {
 public:
  FlushDenormals() : before_(read()) { write(before_ | kFlags); }
  ~FlushDenormals() { write(before_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#if defined(__SSE2__) || defined(_M_X64)
  static constexpr std::uint64_t kFlags = 0x8040;  // flush to zero, denormals are zero
  static std::uint64_t read() { return _mm_getcsr(); }
  static void write(std::uint64_t flags) { _mm_setcsr(static_cast<unsigned>(flags)); }
#elif defined(__aarch64__)
  static constexpr std::uint64_t kFlags = std::uint64_t{1} << 24;  // flush to zero
  static std::uint64_t read() {
    std::uint64_t flags;
    __asm__ volatile("mrs %0, fpcr" : "=r"(flags));
    return flags;
  }
  static void write(std::uint64_t flags) { __asm__ volatile("msr fpcr, %0" : : "r"(flags)); }
#else
  static constexpr std::uint64_t kFlags = 0;
  static std::uint64_t read() { return 0; }
  static void write(std::uint64_t) {}
#endif
  std::uint64_t before_;
};

}  // namespace synthhost
