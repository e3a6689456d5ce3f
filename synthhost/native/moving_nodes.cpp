// Changes of layout, rate and length.
#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include "simple_node.hpp"
#include "simple_nodes.hpp"

namespace synthhost {

namespace {

class Transpose : public SimpleNode {
 public:
  Transpose(int input, int raw, int active, float slope) : SimpleNode({input}, raw, active), slope_(slope) {}
  void run_one(const Plan& plan, const Work& work) const override {
    for (const int one : {raw, active}) {
      if (one != kNone) turn(plan, work, one, one == active ? slope_ : 1.0f);
    }
  }

 private:
  static constexpr std::size_t kSquare = 16;  // moments and channels, so that the lines read and written stay near

  void turn(const Plan& plan, const Work& work, int one, float slope) const {
    const Stream& from = plan.stream(inputs[0]);
    const Stream& to = plan.stream(one);
    const float* x = in(plan, work, 0, work.first);
    float* y = plan.at(work.state(), one, work.first);
    const auto count = static_cast<std::size_t>(work.count);
    for (std::size_t first = 0; first < count; first += kSquare) {
      for (std::size_t c = 0; c < from.channels; c += kSquare) {
        turn_square(x + first * from.moment_stride() + c * from.channel_stride(), from,
                    y + first * to.moment_stride() + c * to.channel_stride(), to, std::min(kSquare, count - first),
                    std::min(kSquare, from.channels - c), slope);
      }
    }
  }

  static void turn_square(const float* x, const Stream& from, float* y, const Stream& to, std::size_t moments,
                          std::size_t channels, float slope) {
    const std::size_t x_moment = from.moment_stride(), x_channel = from.channel_stride();
    const std::size_t y_moment = to.moment_stride(), y_channel = to.channel_stride();
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t t = 0; t < moments; ++t) {
        const float value = x[t * x_moment + c * x_channel];
        y[t * y_moment + c * y_channel] = value > slope * value ? value : slope * value;
      }
    }
  }

  const float slope_;
};

void copy_moment(const Stream& stream, const float* from, const Stream& to_stream, float* to) {
  const std::size_t step = stream.channel_stride(), to_step = to_stream.channel_stride();
  if (step == 1 && to_step == 1) {
    std::memcpy(to, from, to_stream.channels * sizeof(float));
    return;
  }
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
        plan.conv_kernels().mix(std::array{one, other}.data(), kHalves, 2, channels, y, nullptr, 0.0f);
      }
    }
  }

 private:
  static constexpr float kHalves[] = {0.5f, 0.5f};
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
      const float weights[] = {1.0f - towards, towards};
      plan.conv_kernels().mix(std::array{one, other}.data(), weights, 2, channels, y, nullptr, 0.0f);
    }
  }

 private:
  // The input before output t, -1 where the level start is.
  Count before(Count t) const { return t < level_ ? -1 : (t - level_) / factor_; }
  const Count factor_, level_, after_;
};

}  // namespace

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

}  // namespace synthhost
