// Harmonics and noise bands that follow frames.
#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "note_channels.hpp"
#include "simple_node.hpp"
#include "simple_nodes.hpp"

namespace synthhost {

namespace {

constexpr Count kPiece = 256;            // samples computed at a time
constexpr std::size_t kMostLevels = 640;  // of a frame
constexpr float kLoudest = 3.0f;
constexpr float kPlaces = 16777216.0f;
constexpr float kSilentFrom = 0.5f, kFades = 0.05f;  // of the sample rate
constexpr float kNatsOfDb = 0.115129254649702284f;

class Oscillators : public SimpleNode {
 public:
  Oscillators(int input, int output, OscillatorShape shape, std::vector<float> noise, std::vector<Count> lengths,
              std::vector<float> middles)
      : SimpleNode({input}, output, kNone),
        shape_(shape),
        noise_(std::move(noise)),
        lengths_(std::move(lengths)),
        middles_(std::move(middles)),
        row_(noise_.size() / lengths_.size()) {
    for (std::size_t k = 1; k <= shape_.harmonics; ++k) octaves_.push_back(std::log2(static_cast<float>(k)));
    for (Count n = 0; n < shape_.hop; ++n) {
      glide_.push_back(static_cast<float>(static_cast<double>(n + 1) / static_cast<double>(shape_.hop)));
    }
  }
  Count decided(std::size_t, Count n, bool) const override { return n * shape_.hop; }
  Count reads_from(std::size_t, Count done) const override { return done / shape_.hop - 1; }
  Count before(std::size_t) const override { return 1; }

  void run_one(const Plan& plan, const Work& work) const override {
    const Stream& to = plan.stream(raw);
    float* y = out(plan, work);
    std::array<float, kMostLevels> first, last;
    std::array<float, kPiece> sound;
    for (Count done = 0; done < work.count;) {
      const Count at = work.first + done, frame = at / shape_.hop;
      const float* now = in(plan, work, 0, frame);
      levels(in(plan, work, 0, frame - 1), first.data());
      levels(now, last.data());
      const Count until = std::min(work.first + work.count, (frame + 1) * shape_.hop);
      for (Count piece = at; piece < until; piece += kPiece) {
        const Count count = std::min(kPiece, until - piece);
        sound_of(plan, now, first.data(), last.data(), piece - frame * shape_.hop, count, sound.data());
        float* end = y + static_cast<std::size_t>(piece - work.first) * to.moment_stride();
        for (Count n = 0; n < count; ++n) end[static_cast<std::size_t>(n) * to.moment_stride()] = sound[n];
      }
      done = until - work.first;
    }
  }

 private:
  double place_of(const float* frame, std::size_t k) const {
    const double partial = static_cast<double>(k + 1);
    return partial * std::sqrt(1.0 + static_cast<double>(frame[kStretch]) * partial * partial);
  }

  // What every harmonic and band is multiplied with at a frame's end.
  void levels(const float* frame, float* level) const {
    const std::size_t count = shape_.harmonics + lengths_.size();
    if (frame[kGain] == 0.0f) {
      std::fill_n(level, count, 0.0f);
      return;
    }
    const float pitch = frame[kPitch], highest = std::max(frame[kPitchFrom], pitch);
    const float rate = static_cast<float>(shape_.sample_rate), tilt = frame[kTilt];
    for (std::size_t n = 0; n < count; ++n) {
      const bool tonal = n < shape_.harmonics;
      float shape = frame[kAir], octave = 0.0f;
      if (tonal) {
        const float part = highest * static_cast<float>(place_of(frame, n)) / rate;
        shape = std::clamp((kSilentFrom - part) / kFades, 0.0f, 1.0f);
        octave = octaves_[n];
      } else if (tilt != 0.0f) {
        const float above = middles_[n - shape_.harmonics] / std::max(pitch, 1.0f);
        octave = std::log2(std::max(above, 1.0f));
      }
      const float tilted = tilt == 0.0f ? 1.0f : std::exp(octave * tilt * kNatsOfDb);
      level[n] = frame[kGain] * std::exp(std::min(frame[kOwn + n], kLoudest)) * shape * tilted;
    }
  }

  // Samples `from` to `from + count - 1` of a frame.
  void sound_of(const Plan& plan, const float* frame, const float* first, const float* last, Count from, Count count,
                float* sound) const {
    std::array<double, kPiece> cycles;
    const auto size = static_cast<std::size_t>(count);
    const double begun = static_cast<double>(frame[kCycles]) + static_cast<double>(frame[kFraction]);
    const double start = frame[kPitchFrom], end = frame[kPitch];
    for (std::size_t n = 0; n < size; ++n) {
      const double passed = static_cast<double>(from) + static_cast<double>(n) + 1.0;
      const double turns = passed * start + passed * passed * (end - start) / (2.0 * static_cast<double>(shape_.hop));
      cycles[n] = begun + turns / shape_.sample_rate;
    }
    const Kernels& kernels = plan.kernels();
    const float* glide = glide_.data() + from;
    std::fill_n(sound, size, 0.0f);
    for (std::size_t k = 0; k < shape_.harmonics; ++k) {
      if (first[k] == 0.0f && last[k] == 0.0f) continue;
      kernels.add_sine(cycles.data(), place_of(frame, k), first[k], last[k], glide, sound, size);
    }
    const float told = frame[kPlace];
    const auto place = told >= 0.0f && told < kPlaces ? static_cast<Count>(told) : 0;  // or is no number
    for (std::size_t b = 0; b < lengths_.size(); ++b) {
      const float low = first[shape_.harmonics + b], high = last[shape_.harmonics + b];
      if (low == 0.0f && high == 0.0f) continue;
      const auto begin = static_cast<std::size_t>(place % lengths_[b] + from);
      kernels.add_glided(noise_.data() + b * row_ + begin, low, high, glide, sound, size);
    }
  }

  const OscillatorShape shape_;
  const std::vector<float> noise_;  // [bands, row_]
  const std::vector<Count> lengths_;
  const std::vector<float> middles_;
  const std::size_t row_;
  std::vector<float> octaves_, glide_;
};

}  // namespace

std::unique_ptr<Node> make_oscillators(const Plan& plan, int input, int output, OscillatorShape shape,
                                       std::vector<float> noise, std::vector<Count> lengths,
                                       std::vector<float> middles) {
  expect_rows(plan, {input});
  if (shape.hop < 1 || !(shape.sample_rate > 0.0) || lengths.empty()) {
    throw std::invalid_argument("oscillators take a hop, a rate and at least one band of noise.");
  }
  expect("the number of channels", plan.stream(input).channels, kOwn + shape.harmonics + lengths.size());
  expect("the number of channels made", plan.stream(output).channels, 1);
  expect("the number of bands' middles", middles.size(), lengths.size());
  if (shape.harmonics + lengths.size() > kMostLevels) throw std::invalid_argument("too many harmonics and bands.");
  const std::size_t row = noise.size() / lengths.size();
  for (const Count length : lengths) {
    if (length < 1 || static_cast<std::size_t>(length + shape.hop) > row) {
      throw std::invalid_argument("a band of noise is shorter than it is said to be.");
    }
  }
  return std::make_unique<Oscillators>(input, output, shape, std::move(noise), std::move(lengths),
                                       std::move(middles));
}

}  // namespace synthhost
