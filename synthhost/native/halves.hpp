// Numbers of 16 bits as IEEE 754 has them: 11 significant bits, 6e-8 to 65504.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace synthhost {

// The nearest one, ties to even. Throws std::invalid_argument for what is larger than all of them, or no number.
inline std::uint16_t half_of(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const std::uint32_t sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
  if (size >= 0x477ff000u) {  // 65520, which would be rounded to infinity
    throw std::invalid_argument("a weight is too large for float16, whose largest number is 65504.");
  }
  if (size < 0x38800000u) {  // below 2^-14 numbers lie 2^-24 apart
    return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(std::nearbyint(std::fabs(value) * 0x1p24f)));
  }
  const std::uint32_t odd = size >> 13 & 1u;
  return static_cast<std::uint16_t>(sign | ((size - 0x38000000u + 0xfffu + odd) >> 13));
}

}  // namespace synthhost
