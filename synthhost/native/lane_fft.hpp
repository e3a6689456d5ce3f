// Fourier transforms of several real signals at once, a lane for each: Cooley and Tukey's, radix two.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>
#include <numbers>
#include <stdexcept>
#include <utility>
#include <vector>

namespace synthhost {

// Transforms of `size` real values, a power of two, of `kSignals` signals that lie beside each other.
class LaneFft {
 public:
  static constexpr std::size_t kSignals = 8;

  explicit LaneFft(std::size_t size) : size_(size), half_(size / 2) {
    if (size < 4 || (size & (size - 1)) != 0) throw std::invalid_argument("a transform takes a power of two.");
    const double turn = 2.0 * std::numbers::pi / static_cast<double>(size);
    for (std::size_t k = 0; k <= half_; ++k) {
      cosine_.push_back(static_cast<float>(std::cos(turn * static_cast<double>(k))));
      sine_.push_back(static_cast<float>(std::sin(turn * static_cast<double>(k))));
    }
    for (std::size_t n = 0; n < half_; ++n) {
      std::size_t reversed = 0;
      for (std::size_t bit = 1, left = half_ >> 1; left > 0; bit <<= 1, left >>= 1) {
        if (n & bit) reversed |= left;
      }
      reversed_.push_back(reversed);
    }
  }

  std::size_t bins() const { return half_ + 1; }
  // Floats of a spectrum: real parts of bin after bin, then imaginary ones.
  std::size_t spectrum_floats() const { return 2 * bins() * kSignals; }

  // The spectrum of `x`, [size, kSignals].
  void forward(const float* x, float* spectrum) const {
    float* re = spectrum;
    float* im = spectrum + bins() * kSignals;
    for (std::size_t n = 0; n < half_; ++n) {  // even values as real parts, odd ones as imaginary
      const float* pair = x + 2 * reversed_[n] * kSignals;
      for (std::size_t s = 0; s < kSignals; ++s) {
        re[n * kSignals + s] = pair[s];
        im[n * kSignals + s] = pair[kSignals + s];
      }
    }
    stages(re, im, -1.0f);
    take_apart(re, im);
  }

  // The signals of a spectrum, which is spent, [size, kSignals].
  void inverse(float* spectrum, float* x) const {
    float* re = spectrum;
    float* im = spectrum + bins() * kSignals;
    put_together(re, im);
    for (std::size_t n = 0; n < half_; ++n) {
      const std::size_t other = reversed_[n];
      if (other <= n) continue;
      for (std::size_t s = 0; s < kSignals; ++s) {
        std::swap(re[n * kSignals + s], re[other * kSignals + s]);
        std::swap(im[n * kSignals + s], im[other * kSignals + s]);
      }
    }
    stages(re, im, 1.0f);
    const float part = 1.0f / static_cast<float>(half_);
    for (std::size_t n = 0; n < half_; ++n) {
      for (std::size_t s = 0; s < kSignals; ++s) {
        x[2 * n * kSignals + s] = part * re[n * kSignals + s];
        x[(2 * n + 1) * kSignals + s] = part * im[n * kSignals + s];
      }
    }
  }

 private:
  void stages(float* re, float* im, float sign) const {
    for (std::size_t span = 1; span < half_; span *= 2) {
      const std::size_t stride = size_ / (2 * span);
      for (std::size_t begin = 0; begin < half_; begin += 2 * span) {
        for (std::size_t k = 0; k < span; ++k) {
          const float c = cosine_[k * stride], d = sign * sine_[k * stride];
          butterfly(re + (begin + k) * kSignals, im + (begin + k) * kSignals, span * kSignals, c, d);
        }
      }
    }
  }

  // The sum and the difference of two rows, the far one turned; what is read is copied before anything is written,
  // so that lanes may be computed together.
  static void butterfly(float* re, float* im, std::size_t far, float c, float d) {
    float near_re[kSignals], near_im[kSignals], far_re[kSignals], far_im[kSignals];
    std::memcpy(near_re, re, sizeof near_re);
    std::memcpy(near_im, im, sizeof near_im);
    std::memcpy(far_re, re + far, sizeof far_re);
    std::memcpy(far_im, im + far, sizeof far_im);
    float turned_re[kSignals], turned_im[kSignals];
    for (std::size_t s = 0; s < kSignals; ++s) turned_re[s] = c * far_re[s] - d * far_im[s];
    for (std::size_t s = 0; s < kSignals; ++s) turned_im[s] = c * far_im[s] + d * far_re[s];
    for (std::size_t s = 0; s < kSignals; ++s) {
      far_re[s] = near_re[s] - turned_re[s];
      far_im[s] = near_im[s] - turned_im[s];
      near_re[s] += turned_re[s];
      near_im[s] += turned_im[s];
    }
    std::memcpy(re, near_re, sizeof near_re);
    std::memcpy(im, near_im, sizeof near_im);
    std::memcpy(re + far, far_re, sizeof far_re);
    std::memcpy(im + far, far_im, sizeof far_im);
  }

  // Makes the transform of even and odd values, one complex value each, into the spectrum of all of them.
  void take_apart(float* re, float* im) const {
    for (std::size_t s = 0; s < kSignals; ++s) {
      const float even = re[s], odd = im[s];
      re[s] = even + odd;
      im[s] = 0.0f;
      re[half_ * kSignals + s] = even - odd;
      im[half_ * kSignals + s] = 0.0f;
    }
    for (std::size_t k = 1; 2 * k <= half_; ++k) {
      const std::size_t other = half_ - k;
      const float c = cosine_[k], d = sine_[k];
      for (std::size_t s = 0; s < kSignals; ++s) {
        float &ar = re[k * kSignals + s], &ai = im[k * kSignals + s];
        float &br = re[other * kSignals + s], &bi = im[other * kSignals + s];
        const float even_re = 0.5f * (ar + br), even_im = 0.5f * (ai - bi);
        const float odd_re = 0.5f * (ai + bi), odd_im = 0.5f * (br - ar);
        const float turned_re = c * odd_re + d * odd_im, turned_im = c * odd_im - d * odd_re;
        ar = even_re + turned_re;
        ai = even_im + turned_im;
        br = even_re - turned_re;
        bi = turned_im - even_im;
      }
    }
  }

  // The way back.
  void put_together(float* re, float* im) const {
    for (std::size_t s = 0; s < kSignals; ++s) {
      const float first = re[s], last = re[half_ * kSignals + s];
      re[s] = 0.5f * (first + last);
      im[s] = 0.5f * (first - last);
    }
    for (std::size_t k = 1; 2 * k <= half_; ++k) {
      const std::size_t other = half_ - k;
      const float c = cosine_[k], d = sine_[k];
      for (std::size_t s = 0; s < kSignals; ++s) {
        float &ar = re[k * kSignals + s], &ai = im[k * kSignals + s];
        float &br = re[other * kSignals + s], &bi = im[other * kSignals + s];
        const float even_re = 0.5f * (ar + br), even_im = 0.5f * (ai - bi);
        const float turned_re = 0.5f * (ar - br), turned_im = 0.5f * (ai + bi);
        const float odd_re = c * turned_re - d * turned_im, odd_im = c * turned_im + d * turned_re;
        ar = even_re - odd_im;
        ai = even_im + odd_re;
        br = even_re + odd_im;
        bi = odd_re - even_im;
      }
    }
  }

  const std::size_t size_, half_;
  std::vector<float> cosine_, sine_;
  std::vector<std::size_t> reversed_;
};

}  // namespace synthhost
