// Sums, functions of one value, gates, and what else looks at one moment at a time.
#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "simple_node.hpp"
#include "simple_nodes.hpp"

namespace synthhost {

namespace {

class Mix : public SimpleNode {
 public:
  Mix(const Plan& plan, const std::vector<Term>& terms, int raw, int active, float slope)
      : SimpleNode(streams_of(terms), raw, active), terms_(terms), slope_(slope) {
    for (const Term& term : terms) weights_.push_back(term.weight);
    const Stream& to = plan.stream(primary());
    dense_ = to.layout == Layout::kTimeMajor;
    for (const Term& term : terms) {
      const Stream& from = plan.stream(term.stream);
      if (from.layout != to.layout) throw std::invalid_argument("a sum's streams have different layouts.");
      if (term.first + to.channels > from.channels) throw std::invalid_argument("a sum takes channels that are none.");
      dense_ = dense_ && term.first == 0 && whole_lanes(from.channels) == whole_lanes(to.channels);
    }
  }

  void run_one(const Plan& plan, const Work& work) const override {
    const Stream& to = plan.stream(primary());
    const Pieces pieces(to, work.count);
    const std::size_t number = dense_ ? 1 : pieces.number;
    const std::size_t length = dense_ ? to.width * static_cast<std::size_t>(work.count) : pieces.length;
    const float* from[kMostTerms];
    for (std::size_t piece = 0; piece < number; ++piece) {
      for (std::size_t n = 0; n < terms_.size(); ++n) {
        const Stream& stream = plan.stream(terms_[n].stream);
        from[n] = in(plan, work, n, work.first) + terms_[n].first * stream.channel_stride() + piece * stream.width;
      }
      plan.conv_kernels().mix(from, weights_.data(), terms_.size(), length, target(plan, work, raw, piece),
                         target(plan, work, active, piece), slope_);
    }
  }

  static constexpr std::size_t kMostTerms = 8;

 private:
  static std::vector<int> streams_of(const std::vector<Term>& terms) {
    if (terms.empty() || terms.size() > kMostTerms) throw std::invalid_argument("a sum has 1 to 8 terms.");
    std::vector<int> found;
    for (const Term& term : terms) found.push_back(term.stream);
    return found;
  }
  static float* target(const Plan& plan, const Work& work, int stream, std::size_t piece) {
    if (stream == kNone) return nullptr;
    return plan.at(work.state(), stream, work.first) + piece * plan.stream(stream).width;
  }

  const std::vector<Term> terms_;
  std::vector<float> weights_;
  const float slope_;
  bool dense_;
};

// A function of each value; `Function(from, to, count, channel)` where channels lie apart, else channel 0.
template <class Function>
class Pointwise : public SimpleNode {
 public:
  Pointwise(int input, int output, Function function)
      : SimpleNode({input}, output, kNone), function_(std::move(function)) {}
  void run_one(const Plan& plan, const Work& work) const override {
    const Stream& from = plan.stream(inputs[0]);
    const Stream& to = plan.stream(raw);
    const Pieces pieces(to, work.count);
    const float* x = in(plan, work, 0, work.first);
    float* y = out(plan, work);
    const bool rows = to.layout == Layout::kTimeMajor;
    for (std::size_t n = 0; n < pieces.number; ++n) {
      function_(x + n * from.width, y + n * to.width, pieces.length, rows ? 0 : n, rows ? 1 : 0);
    }
  }

 private:
  const Function function_;
};

template <class Function>
std::unique_ptr<Node> make_pointwise(const Plan& plan, int input, int output, Function function) {
  expect("the number of channels", plan.stream(output).channels, plan.stream(input).channels);
  if (plan.stream(input).layout != plan.stream(output).layout) throw std::invalid_argument("layouts differ.");
  return std::make_unique<Pointwise<Function>>(input, output, std::move(function));
}

class GateNode : public SimpleNode {
 public:
  GateNode(int input, int output, bool tanh_first) : SimpleNode({input}, output, kNone), tanh_first_(tanh_first) {}
  void run_one(const Plan& plan, const Work& work) const override {
    const std::size_t channels = plan.stream(raw).channels;
    const float* x = in(plan, work, 0, work.first);
    float* y = out(plan, work);
    for (Count n = 0; n < work.count; ++n, x += plan.stream(inputs[0]).width, y += plan.stream(raw).width) {
      plan.kernels().gate(tanh_first_ ? x : x + channels, tanh_first_ ? x + channels : x, y, channels);
    }
  }

 private:
  const bool tanh_first_;
};

class Modulate : public SimpleNode {
 public:
  Modulate(int input, int film, int raw, int active, float slope)
      : SimpleNode({input, film}, raw, active), slope_(slope) {}
  void run_one(const Plan& plan, const Work& work) const override {
    ModulateCall call;
    call.x = in(plan, work, 0, work.first);
    call.x_stride = plan.stream(inputs[0]).width;
    call.film = in(plan, work, 1, work.first);
    call.film_stride = plan.stream(inputs[1]).width;
    call.channels = plan.stream(primary()).channels;
    call.rows = static_cast<std::size_t>(work.count);
    call.end.slope = slope_;
    if (raw != kNone) {
      call.end.raw = plan.at(work.state(), raw, work.first);
      call.end.raw_stride = plan.stream(raw).width;
    }
    if (active != kNone) {
      call.end.active = plan.at(work.state(), active, work.first);
      call.end.active_stride = plan.stream(active).width;
    }
    plan.conv_kernels().modulate(call);
  }

 private:
  const float slope_;
};

class Concat : public SimpleNode {
 public:
  Concat(const std::vector<int>& inputs, int output) : SimpleNode(inputs, output, kNone) {}
  void run_one(const Plan& plan, const Work& work) const override {
    float* to = out(plan, work);
    for (std::size_t n = 0; n < inputs.size(); ++n) {
      const Stream& stream = plan.stream(inputs[n]);
      const float* from = in(plan, work, n, work.first);
      for (Count t = 0; t < work.count; ++t) {
        std::memcpy(to + t * static_cast<Count>(plan.stream(raw).width), from + t * static_cast<Count>(stream.width),
                    stream.channels * sizeof(float));
      }
      to += stream.channels;
    }
  }
};

}  // namespace

std::unique_ptr<Node> make_mix(const Plan& plan, const std::vector<Term>& terms, int raw, int active, float slope) {
  return std::make_unique<Mix>(plan, terms, raw, active, slope);
}

std::unique_ptr<Node> make_tanh(const Plan& plan, int input, int output) {
  return make_pointwise(plan, input, output,
                        [&kernels = plan.kernels()](const float* x, float* y, std::size_t count, std::size_t,
                                                    std::size_t) { kernels.hyperbolic_tangent(x, y, count); });
}

std::unique_ptr<Node> make_clamp(const Plan& plan, int input, int output, float lowest, float highest) {
  return make_pointwise(plan, input, output,
                        [=](const float* x, float* y, std::size_t count, std::size_t, std::size_t) {
                          for (std::size_t n = 0; n < count; ++n) y[n] = std::min(std::max(x[n], lowest), highest);
                        });
}

std::unique_ptr<Node> make_affine(const Plan& plan, int input, int output, std::vector<float> weight,
                                  std::vector<float> bias) {
  expect("the number of an affine map's weights", weight.size(), plan.stream(input).channels);
  expect("the number of an affine map's biases", bias.size(), plan.stream(input).channels);
  return make_pointwise(plan, input, output,
                        [weight = std::move(weight), bias = std::move(bias)](
                            const float* x, float* y, std::size_t count, std::size_t channel, std::size_t step) {
                          for (std::size_t n = 0; n < count; ++n) {
                            y[n] = x[n] * weight[channel + n * step] + bias[channel + n * step];
                          }
                        });
}

std::unique_ptr<Node> make_leaky(const Plan& plan, int input, int output, float slope) {
  if (slope >= 0.0f && slope <= 1.0f) return make_mix(plan, {Term{input}}, kNone, output, slope);
  return make_pointwise(plan, input, output,
                        [slope](const float* x, float* y, std::size_t count, std::size_t, std::size_t) {
                          for (std::size_t n = 0; n < count; ++n) y[n] = x[n] > 0.0f ? x[n] : slope * x[n];
                        });
}

std::unique_ptr<Node> make_gate(const Plan& plan, int input, int output, bool tanh_first) {
  expect_rows(plan, {input, output});
  expect("the number of gates", plan.stream(input).channels, 2 * plan.stream(output).channels);
  return std::make_unique<GateNode>(input, output, tanh_first);
}

std::unique_ptr<Node> make_modulate(const Plan& plan, int input, int film, int raw, int active, float slope) {
  expect_rows(plan, {input, film});
  expect("the number of modulations", plan.stream(film).channels, 2 * plan.stream(input).channels);
  if (raw == kNone && active == kNone) throw std::invalid_argument("a modulation writes nothing.");
  for (const int to : {raw, active}) {
    if (to == kNone) continue;
    expect_rows(plan, {to});
    expect("the number of channels", plan.stream(to).channels, plan.stream(input).channels);
  }
  return std::make_unique<Modulate>(input, film, raw, active, slope);
}

std::unique_ptr<Node> make_concat(const Plan& plan, const std::vector<int>& inputs, int output) {
  expect_rows(plan, inputs);
  expect_rows(plan, {output});
  std::size_t channels = 0;
  for (const int one : inputs) channels += plan.stream(one).channels;
  expect("the number of channels", plan.stream(output).channels, channels);
  return std::make_unique<Concat>(inputs, output);
}

}  // namespace synthhost
