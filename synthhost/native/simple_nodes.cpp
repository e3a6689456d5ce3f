#include "simple_nodes.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "kernels.hpp"

namespace synthhost {

namespace {

std::size_t rounded(std::size_t count) { return (count + kRowLanes - 1) / kRowLanes * kRowLanes; }

// Calls `each(channels' first place, floats)` for every dense piece of `count` moments of a stream.
struct Pieces {
  Pieces(const Stream& stream, Count count)
      : number(stream.layout == Layout::kTimeMajor ? static_cast<std::size_t>(count) : stream.channels),
        length(stream.layout == Layout::kTimeMajor ? stream.channels : static_cast<std::size_t>(count)) {}
  std::size_t number;  // of pieces, `width` floats apart
  std::size_t length;  // floats of each
};

// One that runs voice after voice.
class SimpleNode : public Node {
 public:
  using Node::Node;
  void run(const Plan& plan, std::span<const Work> works) const override {
    for (const Work& work : works) run_one(plan, work);
  }
  virtual void run_one(const Plan& plan, const Work& work) const = 0;

 protected:
  const float* in(const Plan& plan, const Work& work, std::size_t n, Count at) const {
    return plan.at(work.state(), inputs[n], at);
  }
  float* out(const Plan& plan, const Work& work) const { return plan.at(work.state(), primary(), work.first); }
};

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
      dense_ = dense_ && term.first == 0 && rounded(from.channels) == rounded(to.channels);
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

// Streams whose moments lie dense, one after the other.
void expect_rows(const Plan& plan, const std::vector<int>& streams) {
  for (const int one : streams) {
    if (plan.stream(one).layout != Layout::kTimeMajor) throw std::invalid_argument("time must be the outer axis.");
  }
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
  Modulate(int input, int film, int output) : SimpleNode({input, film}, output, kNone) {}
  void run_one(const Plan& plan, const Work& work) const override {
    const std::size_t channels = plan.stream(raw).channels;
    const float* x = in(plan, work, 0, work.first);
    const float* film = in(plan, work, 1, work.first);
    float* y = out(plan, work);
    for (Count n = 0; n < work.count; ++n) {
      for (std::size_t c = 0; c < channels; ++c) y[c] = film[c] + film[channels + c] * x[c];
      x += plan.stream(inputs[0]).width, film += plan.stream(inputs[1]).width, y += plan.stream(raw).width;
    }
  }
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

class Transpose : public SimpleNode {
 public:
  Transpose(int input, int raw, int active, float slope) : SimpleNode({input}, raw, active), slope_(slope) {}
  void run_one(const Plan& plan, const Work& work) const override {
    const Stream& from = plan.stream(inputs[0]);
    const float* x = in(plan, work, 0, work.first);
    const std::size_t step = from.moment_stride(), channel = from.channel_stride();
    for (const int one : {raw, active}) {
      if (one == kNone) continue;
      const Stream& to = plan.stream(one);
      float* y = plan.at(work.state(), one, work.first);
      const float slope = one == active ? slope_ : 1.0f;
      for (Count t = 0; t < work.count; ++t) {
        const float* source = x + static_cast<std::size_t>(t) * step;
        float* target = y + static_cast<std::size_t>(t) * to.moment_stride();
        for (std::size_t c = 0; c < from.channels; ++c) {
          const float value = source[c * channel];
          target[c * to.channel_stride()] = value > slope * value ? value : slope * value;
        }
      }
    }
  }

 private:
  const float slope_;
};

void copy_moment(const Stream& stream, const float* from, const Stream& to_stream, float* to) {
  const std::size_t step = stream.channel_stride(), to_step = to_stream.channel_stride();
  for (std::size_t c = 0; c < to_stream.channels; ++c) to[c * to_step] = from[c * step];
}

// Output t is moment `source(t)` of the input.
class Moved : public SimpleNode {
 public:
  Moved(int input, int output) : SimpleNode({input}, output, kNone) {}
  void run_one(const Plan& plan, const Work& work) const override {
    const Stream& to = plan.stream(raw);
    const Stream& from = plan.stream(inputs[0]);
    float* y = out(plan, work);
    for (Count t = 0; t < work.count; ++t) {
      copy_moment(from, in(plan, work, 0, source(work.first + t)), to,
                  y + static_cast<std::size_t>(t) * to.moment_stride());
    }
  }
  virtual Count source(Count t) const = 0;
};

class Repeat : public Moved {
 public:
  Repeat(int input, int output, Count factor) : Moved(input, output), factor_(factor) {}
  Count decided(std::size_t, Count n, bool) const override { return n * factor_; }
  Count reads_from(std::size_t, Count done) const override { return done / factor_; }
  Count source(Count t) const override { return t / factor_; }

 private:
  const Count factor_;
};

class LeadNode : public Moved {
 public:
  LeadNode(int input, int output, Count count) : Moved(input, output), count_(count) {}
  Count decided(std::size_t, Count n, bool) const override { return n ? n + count_ : 0; }
  Count reads_from(std::size_t, Count done) const override { return std::max<Count>(done - count_, 0); }
  Count source(Count t) const override { return std::max<Count>(t - count_, 0); }

 private:
  const Count count_;
};

// A second input paces it: once that is closed it is known where the end stands.
class Crop : public SimpleNode {
 public:
  Crop(int input, int pace, int output, Count rate, Count offset)
      : SimpleNode({input, pace}, output, kNone), rate_(rate), offset_(offset) {}
  Count decided(std::size_t input, Count n, bool closed) const override {
    if (input == 0) return n;
    if (!closed) return kFar;
    return n ? n * rate_ + offset_ : 0;
  }
  Count reads_from(std::size_t input, Count done) const override { return input == 0 ? done : kFar; }
  void run_one(const Plan& plan, const Work& work) const override {
    for (Count t = work.first; t < work.first + work.count; ++t) {
      copy_moment(plan.stream(inputs[0]), in(plan, work, 0, t), plan.stream(raw), plan.at(work.state(), raw, t));
    }
  }

 private:
  static constexpr Count kFar = Count{1} << 60;
  const Count rate_, offset_;
};

// What stands behind the end is laid there as the stream's own tail, then overwritten by the value.
class Extend : public SimpleNode {
 public:
  Extend(int input, int output, Count count, float value)
      : SimpleNode({input}, output, kNone), count_(count), value_(value) {}
  Count decided(std::size_t, Count n, bool closed) const override { return closed && n ? n + count_ : n; }
  Count reads_from(std::size_t, Count done) const override { return done; }
  void run_one(const Plan& plan, const Work& work) const override {
    const Stream& to = plan.stream(raw);
    const Stream& from = plan.stream(inputs[0]);
    const Count known = work.state().cursor(inputs[0]).end;
    float* y = out(plan, work);
    for (Count t = work.first; t < work.first + work.count; ++t, y += to.moment_stride()) {
      const float* x = t < known ? in(plan, work, 0, t) : nullptr;
      for (std::size_t c = 0; c < to.channels; ++c) {
        y[c * to.channel_stride()] = x ? x[c * from.channel_stride()] : value_;
      }
    }
  }

 private:
  const Count count_;
  const float value_;
};

class Decimate : public SimpleNode {
 public:
  Decimate(int input, int output, Count factor, Count first, Count second)
      : SimpleNode({input}, output, kNone), factor_(factor), first_(first), second_(second) {}
  Count decided(std::size_t, Count n, bool) const override { return (n + factor_ - 1 - second_) / factor_; }
  Count reads_from(std::size_t, Count done) const override { return done * factor_ + first_; }
  void run_one(const Plan& plan, const Work& work) const override {
    const std::size_t channels = plan.stream(raw).channels;
    float* y = out(plan, work);
    for (Count t = work.first; t < work.first + work.count; ++t, y += plan.stream(raw).width) {
      const float* one = in(plan, work, 0, t * factor_ + first_);
      const float* other = in(plan, work, 0, t * factor_ + second_);
      if (one == other) {
        std::memcpy(y, one, channels * sizeof(float));
      } else {
        for (std::size_t c = 0; c < channels; ++c) y[c] = 0.5f * one[c] + 0.5f * other[c];
      }
    }
  }

 private:
  const Count factor_, first_, second_;
};

class Interpolate : public SimpleNode {
 public:
  Interpolate(int input, int output, Count factor)
      : SimpleNode({input}, output, kNone), factor_(factor), level_((factor + 1) / 2), after_(factor / 2) {}
  Count decided(std::size_t, Count n, bool closed) const override {
    return n == 0 ? 0 : closed ? n * factor_ : n * factor_ - after_;
  }
  Count reads_from(std::size_t, Count done) const override { return std::max<Count>(before(done), 0); }
  void run_one(const Plan& plan, const Work& work) const override {
    const std::size_t channels = plan.stream(raw).channels;
    const Count last = work.state().cursor(inputs[0]).end - 1;
    float* y = out(plan, work);
    for (Count t = work.first; t < work.first + work.count; ++t, y += plan.stream(raw).width) {
      const Count from = before(t);
      const float* one = in(plan, work, 0, std::max<Count>(from, 0));
      const float* other = in(plan, work, 0, std::min(from + 1, last));
      const Count step = t - level_ - from * factor_;
      const float towards = static_cast<float>(
          (static_cast<double>(step) + (factor_ % 2 ? 1.0 : 0.5)) / static_cast<double>(factor_));
      if (from < 0 || from + 1 > last) {
        std::memcpy(y, from < 0 ? other : one, channels * sizeof(float));
        continue;
      }
      for (std::size_t c = 0; c < channels; ++c) y[c] = one[c] * (1.0f - towards) + other[c] * towards;
    }
  }

 private:
  // The input before output t, -1 where the level start is.
  Count before(Count t) const { return t < level_ ? -1 : (t - level_) / factor_; }
  const Count factor_, level_, after_;
};

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

std::unique_ptr<Node> make_modulate(const Plan& plan, int input, int film, int output) {
  expect_rows(plan, {input, film, output});
  expect("the number of modulations", plan.stream(film).channels, 2 * plan.stream(input).channels);
  expect("the number of channels", plan.stream(output).channels, plan.stream(input).channels);
  return std::make_unique<Modulate>(input, film, output);
}

std::unique_ptr<Node> make_concat(const Plan& plan, const std::vector<int>& inputs, int output) {
  expect_rows(plan, inputs);
  expect_rows(plan, {output});
  std::size_t channels = 0;
  for (const int one : inputs) channels += plan.stream(one).channels;
  expect("the number of channels", plan.stream(output).channels, channels);
  return std::make_unique<Concat>(inputs, output);
}

std::unique_ptr<Node> make_transpose(const Plan&, int input, int raw, int active, float slope) {
  return std::make_unique<Transpose>(input, raw, active, slope);
}

std::unique_ptr<Node> make_repeat(int input, int output, Count factor) {
  return std::make_unique<Repeat>(input, output, factor);
}

std::unique_ptr<Node> make_decimate(int input, int output, Count factor, Count first, Count second) {
  return std::make_unique<Decimate>(input, output, factor, first, second);
}

std::unique_ptr<Node> make_interpolate(int input, int output, Count factor) {
  return std::make_unique<Interpolate>(input, output, factor);
}

std::unique_ptr<Node> make_lead(int input, int output, Count count) {
  return std::make_unique<LeadNode>(input, output, count);
}

std::unique_ptr<Node> make_extend(int input, int output, Count count, float value) {
  return std::make_unique<Extend>(input, output, count, value);
}

std::unique_ptr<Node> make_crop(int input, int pace, int output, Count rate, Count offset) {
  return std::make_unique<Crop>(input, pace, output, rate, offset);
}

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
