// Sound is brought near to the mel frames that it was made of: `streaming/mel_fit.py` in native code.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "lane_fft.hpp"
#include "simple_node.hpp"
#include "simple_nodes.hpp"

namespace synthhost {

namespace {

constexpr std::size_t kSignals = LaneFft::kSignals;
constexpr Count kMostReach = 3;  // so that all windows that reach into a hop are transformed at once
constexpr float kLoudest = 8.0f;
constexpr float kMostLouder = 3.0f, kMostSofter = 6.0f;  // nats in a round
constexpr float kLeastOverlap = 1e-2f;

static_assert(2 * kMostReach + 1 <= static_cast<Count>(kSignals));

float sample(float x) { return std::isnan(x) ? 0.0f : std::clamp(x, -kLoudest, kLoudest); }

// What is not zero of a row of a matrix.
struct Run {
  std::size_t first = 0;
  std::vector<float> weights;
};

std::vector<Run> runs(const std::vector<float>& matrix, std::size_t rows) {
  const std::size_t columns = matrix.size() / rows;
  std::vector<Run> made(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    const float* row = matrix.data() + r * columns;
    std::size_t first = 0, last = columns;
    while (first < columns && row[first] == 0.0f) ++first;
    while (last > first && row[last - 1] == 0.0f) --last;
    made[r] = {first, std::vector<float>(row + first, row + last)};
  }
  return made;
}

// The sum of rows of lanes, each times its weight.
void sum(const Run& run, const float* rows, float* lanes) {
  std::array<float, kSignals> total{};
  const float* row = rows + run.first * kSignals;
  for (const float weight : run.weights) {
    for (std::size_t s = 0; s < kSignals; ++s) total[s] += weight * row[s];
    row += kSignals;
  }
  std::copy(total.begin(), total.end(), lanes);
}

class MelFit : public SimpleNode {
 public:
  MelFit(int input, int output, MelFitShape shape)
      : SimpleNode({input}, output, kNone),
        hop_(shape.hop),
        rounds_(shape.rounds),
        floor_(shape.floor),
        bands_(shape.bank.size() / shape.bins),
        fft_(2 * (shape.bins - 1)),
        size_(2 * (shape.bins - 1)),
        before_((size_ - static_cast<std::size_t>(hop_)) / 2),
        reach_(static_cast<Count>((before_ + static_cast<std::size_t>(hop_) - 1) / static_cast<std::size_t>(hop_))),
        windows_(std::move(shape.windows)),
        lacking_(std::move(shape.lacking)),
        fade_(std::move(shape.fade)),
        bank_(runs(shape.bank, bands_)),
        between_(runs(shape.between, shape.bins)) {}

  Count decided(std::size_t, Count n, bool closed) const override { return closed ? n : std::max<Count>(n - reach_, 0); }
  Count reads_from(std::size_t, Count done) const override { return done - reach_; }
  Count guard() const override { return 2 * reach_; }
  std::size_t scratch(const Plan&) const override {
    const std::size_t sums = 2 * static_cast<std::size_t>(reach_ + 1) * hop();
    return heard_floats() + sums + size_ * kSignals + fft_.spectrum_floats() + (fft_.bins() + bands_) * kSignals;
  }

  void run_one(const Plan& plan, const Work& work) const override {
    const Count total = work.state().cursor(inputs[0]).end;
    float* heard = plan.scratch(work.state());
    for (Count n = 0; n < work.count; ++n) {
      const Count row = work.first + n, last = std::min(row + reach_ + 1, total);
      gather(plan, work, row, last, heard);
      for (std::size_t round = 0; round < rounds_; ++round) mend(plan, work, row, last, heard);
      float* y = plan.at(work.state(), raw, row);
      if (unknown(plan, work, row, last)) {
        std::fill_n(y, static_cast<std::size_t>(reach_ + 1) * hop(), std::numeric_limits<float>::quiet_NaN());
        continue;
      }
      const std::size_t known = static_cast<std::size_t>(last - row) * hop();
      std::copy_n(heard + settled(), known, y);
      std::fill(y + known, y + static_cast<std::size_t>(reach_ + 1) * hop(), 0.0f);
    }
  }

 private:
  std::size_t hop() const { return static_cast<std::size_t>(hop_); }
  std::size_t settled() const { return static_cast<std::size_t>(2 * reach_) * hop(); }
  std::size_t heard_floats() const { return static_cast<std::size_t>(3 * reach_ + 1) * hop() + size_; }

  // What sounds from 2 * reach hops before `row` on, as far as it is known.
  void gather(const Plan& plan, const Work& work, Count row, Count last, float* heard) const {
    std::fill_n(heard, heard_floats(), 0.0f);
    for (Count n = std::max<Count>(row - 2 * reach_, 0); n < row; ++n) {
      const float* from = plan.at(work.state(), raw, n);
      std::transform(from, from + hop(), heard + static_cast<std::size_t>(n - row + 2 * reach_) * hop(), sample);
    }
    if (row > 0) {
      const Count going_on = std::min(reach_, last - row);
      const float* from = plan.at(work.state(), raw, row - 1) + hop();
      std::transform(from, from + static_cast<std::size_t>(going_on) * hop(), heard + settled(), sample);
    }
    for (Count n = row > 0 ? row + reach_ : 0; n < last; ++n) {
      const float* from = in(plan, work, 0, n) + bands_;
      float* to = heard + settled() + static_cast<std::size_t>(n - row) * hop();
      std::transform(from, from + hop(), to, sample);
    }
  }

  // Whether a frame, or sound that is new, is no number.
  bool unknown(const Plan& plan, const Work& work, Count row, Count last) const {
    const auto none = [](float x) { return std::isnan(x); };
    for (Count n = std::max<Count>(row - reach_, 0); n < last; ++n) {
      const float* x = in(plan, work, 0, n);
      const bool fresh = row == 0 || n == row + reach_;
      if (std::any_of(x, x + bands_ + (fresh ? hop() : 0), none)) return true;
    }
    return false;
  }

  // One round: the samples from `row` on come nearer to the frames whose windows reach into them.
  void mend(const Plan& plan, const Work& work, Count row, Count last, float* heard) const {
    const Count first = std::max<Count>(row - reach_, 0);
    const auto count = static_cast<std::size_t>(last - first);
    const std::size_t start = static_cast<std::size_t>(2 * reach_ - (row - first)) * hop() - before_;
    float* sums = heard + heard_floats();
    float* signals = sums + 2 * static_cast<std::size_t>(reach_ + 1) * hop();
    float* spectrum = signals + size_ * kSignals;
    float* magnitudes = spectrum + fft_.spectrum_floats();
    float* gains = magnitudes + fft_.bins() * kSignals;
    std::fill_n(signals, size_ * kSignals, 0.0f);
    for (std::size_t frame = 0; frame < count; ++frame) {
      const float* window = window_of(count, frame);
      const float* piece = heard + start + frame * hop();
      for (std::size_t n = 0; n < size_; ++n) signals[n * kSignals + frame] = piece[n] * window[n];
    }
    fft_.forward(signals, spectrum);
    float* re = spectrum;
    float* im = spectrum + fft_.bins() * kSignals;
    for (std::size_t n = 0; n < fft_.bins() * kSignals; ++n) magnitudes[n] = std::sqrt(re[n] * re[n] + im[n] * im[n]);
    for (std::size_t band = 0; band < bands_; ++band) {
      float* gain = gains + band * kSignals;
      sum(bank_[band], magnitudes, gain);
      for (std::size_t frame = 0; frame < count; ++frame) {
        const float wanted = in(plan, work, 0, first + static_cast<Count>(frame))[band];
        const float level = std::log(std::max(gain[frame], floor_)) + lacking_[missing(count, frame)];
        gain[frame] = std::exp(std::clamp(wanted - level, -kMostSofter, kMostLouder));
      }
    }
    std::array<float, kSignals> gain;
    for (std::size_t bin = 0; bin < fft_.bins(); ++bin) {
      sum(between_[bin], gains, gain.data());
      for (std::size_t s = 0; s < kSignals; ++s) {
        re[bin * kSignals + s] *= gain[s];
        im[bin * kSignals + s] *= gain[s];
      }
    }
    fft_.inverse(spectrum, signals);
    overlay(count, start, static_cast<std::size_t>(last - row) * hop(), signals, heard, sums);
  }

  // Lays windows over each other, and what they make in the place of `known` samples, faded in behind what has sounded;
  // `sums` holds twice as many.
  void overlay(std::size_t count, std::size_t start, std::size_t known, const float* signals, float* heard,
               float* sums) const {
    float* kept = heard + settled();
    float* made = sums;
    float* overlaps = made + known;
    std::fill_n(made, 2 * known, 0.0f);
    for (std::size_t frame = 0; frame < count; ++frame) {
      const float* window = window_of(count, frame);
      const std::size_t begin = start + frame * hop();
      const std::size_t from = begin < settled() ? settled() - begin : 0;
      const std::size_t until = std::min(size_, settled() + known - begin);
      for (std::size_t n = from; n < until; ++n) {
        made[begin + n - settled()] += signals[n * kSignals + frame] * window[n];
        overlaps[begin + n - settled()] += window[n] * window[n];
      }
    }
    for (std::size_t n = 0; n < known; ++n) {
      const float mended = sample(made[n] / std::max(overlaps[n], kLeastOverlap));
      kept[n] = n < fade_.size() ? kept[n] + fade_[n] * (mended - kept[n]) : mended;
    }
  }

  // Hops that are missing of what the window of a frame covers, or enough of them.
  std::size_t missing(std::size_t count, std::size_t frame) const {
    return std::min(count - 1 - frame, static_cast<std::size_t>(reach_));
  }
  const float* window_of(std::size_t count, std::size_t frame) const {
    return windows_.data() + missing(count, frame) * size_;
  }

  const Count hop_;
  const std::size_t rounds_;
  const float floor_;
  const std::size_t bands_;
  const LaneFft fft_;
  const std::size_t size_, before_;
  const Count reach_;
  const std::vector<float> windows_;  // [reach + 1, size]
  const std::vector<float> lacking_;
  const std::vector<float> fade_;  // of what was mended, behind what has sounded
  const std::vector<Run> bank_, between_;
};

}  // namespace

std::unique_ptr<Node> make_mel_fit(const Plan& plan, int input, int output, MelFitShape shape) {
  expect_rows(plan, {input, output});
  if (shape.hop < 1 || shape.rounds < 1 || shape.bins < 3 || shape.bank.size() < shape.bins ||
      !(shape.floor > 0.0f)) {
    throw std::invalid_argument("a fit takes a hop, a floor, rounds and a spectrum.");
  }
  const std::size_t size = 2 * (shape.bins - 1), bands = shape.bank.size() / shape.bins;
  const auto hop = static_cast<std::size_t>(shape.hop);
  const std::size_t reach = size > hop ? ((size - hop) / 2 + hop - 1) / hop : 0;
  if (size <= hop || (size - hop) % 2 != 0 || reach > static_cast<std::size_t>(kMostReach)) {
    throw std::invalid_argument("a window must be longer than a hop, by an even number, and at most seven hops.");
  }
  expect("the number of channels", plan.stream(input).channels, bands + hop);
  expect("the number of channels made", plan.stream(output).channels, (reach + 1) * hop);
  expect("the samples of all windows", shape.windows.size(), (reach + 1) * size);
  expect("the number of windows", shape.lacking.size(), reach + 1);
  expect("the samples of the fade", shape.fade.size(), hop / 2);
  expect("the shares of all bins", shape.between.size(), shape.bins * bands);
  return std::make_unique<MelFit>(input, output, std::move(shape));
}

}  // namespace synthhost
