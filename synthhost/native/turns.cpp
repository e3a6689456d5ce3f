// Pitch frame by frame into the frames that oscillators follow.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "note_channels.hpp"
#include "simple_node.hpp"
#include "simple_nodes.hpp"

namespace synthhost {

namespace {

constexpr Count kPlaces = 1 << 16;

// The frame before, as it was handed on, is all that the next one needs.
class Turns : public SimpleNode {
 public:
  Turns(int input, int output, OscillatorShape shape, float lowest_hz, float highest_hz)
      : SimpleNode({input}, output, kNone), shape_(shape), lowest_hz_(lowest_hz), highest_hz_(highest_hz) {}
  Count guard() const override { return 1; }

  void run_one(const Plan& plan, const Work& work) const override {
    const std::size_t width = plan.stream(raw).moment_stride();
    float* frame = out(plan, work);
    for (Count n = 0; n < work.count; ++n, frame += width) {
      const float octaves = *in(plan, work, 0, work.first + n);
      const float known = std::isnan(octaves) ? 0.0f : octaves;  // else cycles would stand nowhere ever after
      const float hertz = std::clamp(std::exp2(known), lowest_hz_, highest_hz_);
      std::fill_n(frame, kOwn, 0.0f);
      frame[kPitch] = hertz;
      frame[kGain] = frame[kAir] = 1.0f;
      if (work.first + n == 0) {
        frame[kPitchFrom] = hertz;
        continue;
      }
      const float* before = frame - width;
      const double mean_hz = 0.5 * (static_cast<double>(before[kPitchFrom]) + static_cast<double>(before[kPitch]));
      const double cycles =
          static_cast<double>(before[kFraction]) + static_cast<double>(shape_.hop) * mean_hz / shape_.sample_rate;
      frame[kPitchFrom] = before[kPitch];
      frame[kFraction] = static_cast<float>(cycles - std::floor(cycles));
      frame[kPlace] = static_cast<float>((static_cast<Count>(before[kPlace]) + shape_.hop) % kPlaces);
    }
  }

 private:
  const OscillatorShape shape_;
  const float lowest_hz_, highest_hz_;
};

}  // namespace

std::unique_ptr<Node> make_turns(const Plan& plan, int input, int output, OscillatorShape shape, float lowest_hz,
                                 float highest_hz) {
  expect_rows(plan, {input, output});
  if (shape.hop < 1 || !(shape.sample_rate > 0.0) || !(lowest_hz > 0.0f) || !(lowest_hz <= highest_hz)) {
    throw std::invalid_argument("turns take a hop, a rate and two pitches, the lower first.");
  }
  expect("the number of channels", plan.stream(input).channels, 1);
  expect("the number of channels made", plan.stream(output).channels, kOwn);
  return std::make_unique<Turns>(input, output, shape, lowest_hz, highest_hz);
}

}  // namespace synthhost
