// Convolutions over bands, maps by position, and noise.
#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "simple_node.hpp"
#include "simple_nodes.hpp"

namespace synthhost {

namespace {

class BandTransposed : public SimpleNode {
 public:
  BandTransposed(int input, int output, const std::vector<float>& weights, std::size_t neighbours, float bias,
                 Count stride, Count padding, Count longer)
      : SimpleNode({input}, output, kNone),
        weights_(weights),
        neighbours_(static_cast<Count>(neighbours)),
        taps_(static_cast<Count>(weights.size() / neighbours)),
        bias_(bias),
        stride_(stride),
        padding_(padding),
        longer_(longer),
        reach_((taps_ + stride - 1) / stride - 1) {}
  Count decided(std::size_t, Count n, bool closed) const override {
    if (n == 0) return 0;
    return closed ? n * stride_ - padding_ + longer_
                  : std::max<Count>(0, n * stride_ - padding_ - std::max<Count>(0, -longer_));
  }
  Count reads_from(std::size_t, Count done) const override { return (done + padding_) / stride_ - reach_; }
  Count before(std::size_t) const override { return reach_; }
  Count after(std::size_t) const override { return std::max<Count>(0, (longer_ - 1 + stride_) / stride_); }
  void run_one(const Plan& plan, const Work& work) const override {
    const auto channels = static_cast<Count>(plan.stream(raw).channels);
    float* y = out(plan, work);
    for (Count t = work.first; t < work.first + work.count; ++t, y += plan.stream(raw).width) {
      std::fill_n(y, channels, bias_);
      const Count group = (t + padding_) / stride_, phase = (t + padding_) % stride_;
      for (Count back = 0; back <= reach_ && phase + back * stride_ < taps_; ++back) {
        add(plan, work, group - back, phase + back * stride_, channels, y);
      }
    }
  }

 private:
  // Adds one tap of all neighbours, each as far as its shifted channels exist.
  void add(const Plan& plan, const Work& work, Count moment, Count tap, Count channels, float* y) const {
    const float* x = in(plan, work, 0, moment);
    for (Count f = 0; f < neighbours_; ++f) {
      const Count shift = f - neighbours_ / 2;
      const float weight = weights_[static_cast<std::size_t>(f * taps_ + tap)];
      const Count end = std::min(channels, channels - shift);
      for (Count c = std::max<Count>(0, -shift); c < end; ++c) y[c] += weight * x[c + shift];
    }
  }

  const std::vector<float> weights_;
  const Count neighbours_, taps_;
  const float bias_;
  const Count stride_, padding_, longer_, reach_;
};

class Positions : public SimpleNode {
 public:
  Positions(const Plan& plan, int input, int output, const std::vector<float>& weights, std::vector<float> biases,
            std::size_t positions)
      : SimpleNode({input}, output, kNone), positions_(positions) {
    const std::size_t inputs = plan.stream(input).channels, outputs = plan.stream(output).channels;
    expect("the number of positions' weights", weights.size(), positions * outputs * inputs);
    expect("the number of positions' biases", biases.size(), positions * outputs);
    for (std::size_t p = 0; p < positions; ++p) {
      packed_.emplace_back(Matrix{weights.data() + p * outputs * inputs, outputs, inputs});
      biases_.emplace_back();
      append_padded(biases_.back(), biases.data() + p * outputs, 1, outputs);
    }
  }
  void run_one(const Plan& plan, const Work& work) const override {
    float* y = out(plan, work);
    for (Count t = work.first; t < work.first + work.count; ++t, y += plan.stream(raw).width) {
      const auto position = static_cast<std::size_t>(t) % positions_;
      std::memcpy(y, biases_[position].data(), biases_[position].size() * sizeof(float));
      packed_[position].add_product(plan.kernels(), in(plan, work, 0, t), y);
    }
  }

 private:
  const std::size_t positions_;
  std::vector<PackedMatrix> packed_;
  std::vector<Floats> biases_;
};

class NoiseNode : public SimpleNode {
 public:
  NoiseNode(int pace, int output, std::size_t row) : SimpleNode({pace}, output, kNone), row_(row) {}
  void run_one(const Plan& plan, const Work& work) const override {
    const Feed& feed = *work.feed;
    const Count skipped = row_ < feed.noise_rows ? work.first - feed.noise_first[row_] : -1;
    if (skipped < 0 || skipped + work.count > static_cast<Count>(feed.noise_count)) {
      throw std::out_of_range("a run was given too little noise.");
    }
    const Stream& to = plan.stream(raw);
    const float* from = feed.noise + row_ * feed.noise_count + skipped;
    float* y = out(plan, work);
    for (Count t = 0; t < work.count; ++t) y[static_cast<std::size_t>(t) * to.moment_stride()] = from[t];
  }

 private:
  const std::size_t row_;
};

}  // namespace

std::unique_ptr<Node> make_band_transposed(const Plan& plan, int input, int output, const std::vector<float>& weights,
                                           std::size_t neighbours, float bias, Count stride, Count padding,
                                           Count longer) {
  expect_rows(plan, {input, output});
  expect("the number of bands", plan.stream(output).channels, plan.stream(input).channels);
  if (neighbours % 2 != 1 || weights.empty() || weights.size() % neighbours) {
    throw std::invalid_argument("bands take an odd number of neighbours, and as many weights for each.");
  }
  return std::make_unique<BandTransposed>(input, output, weights, neighbours, bias, stride, padding, longer);
}

std::unique_ptr<Node> make_positions(const Plan& plan, int input, int output, std::vector<float> weights,
                                     std::vector<float> biases, std::size_t positions) {
  expect_rows(plan, {input, output});
  at_least_one("the number of positions", positions);
  return std::make_unique<Positions>(plan, input, output, weights, std::move(biases), positions);
}

std::unique_ptr<Node> make_noise(int pace, int output, std::size_t row) {
  return std::make_unique<NoiseNode>(pace, output, row);
}

}  // namespace synthhost
