#include "conv_nodes.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "row_products.hpp"

namespace synthhost {

namespace {

Count floor_of(Count a, Count b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

// Blocks of 8 channels, then 4, 2 and 1; within one, tap after tap and input after input.
Floats pack_columns(std::size_t outputs, std::size_t inputs, std::size_t taps, const Weight& weight) {
  Floats packed(outputs * inputs * taps);
  std::size_t at = 0;
  for (std::size_t first = 0; first < outputs;) {
    const std::size_t left = outputs - first;
    const std::size_t block = left >= kColumnBlock ? kColumnBlock : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    for (std::size_t tap = 0; tap < taps; ++tap) {
      for (std::size_t i = 0; i < inputs; ++i) {
        for (std::size_t o = 0; o < block; ++o) packed[at++] = weight(first + o, i, tap);
      }
    }
    first += block;
  }
  return packed;
}

std::vector<int> all_inputs(int input, const Ending& ending) {
  std::vector<int> found = {input};
  for (const int one : {ending.first, ending.second}) {
    if (one != kNone) found.push_back(one);
  }
  return found;
}

// What a convolution and a transposed one share: weights laid out for one layout, and the ending.
class Weighted : public Node {
 public:
  Weighted(const Plan& plan, int input, const Ending& ending)
      : Node(all_inputs(input, ending), ending.raw, ending.active), kernels_(plan.conv_kernels()), ending_(ending) {}

 protected:
  // Where the ending's streams stand at output `first`.
  Epilogue epilogue(const Plan& plan, PlanState& state, Count first) const {
    Epilogue end;
    end.scale = ending_.scale;
    end.slope = ending_.slope;
    const auto place = [&](int stream, std::size_t& stride) -> float* {
      if (stream == kNone) return nullptr;
      stride = plan.stream(stream).width;
      return plan.at(state, stream, first);
    };
    end.first = place(ending_.first, end.first_stride);
    end.second = place(ending_.second, end.second_stride);
    end.raw = place(raw, end.raw_stride);
    end.active = place(active, end.active_stride);
    return end;
  }

  int input() const { return inputs[0]; }

  static std::unique_ptr<RowProduct> make_product(Plan& plan, const ProductSizes& sizes, std::size_t layers,
                                                  const Floats& bias, const Weight& weight) {
    return layers ? make_int8_row_product(plan, sizes, layers, bias, weight)
                  : make_row_product(plan, sizes, bias, weight);
  }

  // Cuts time into whole vectors' parts.
  void share_columns(const ColumnsCall& call, Crew::Shift& shift) const {
    const std::size_t vectors = (call.count + kRowLanes - 1) / kRowLanes;
    const std::size_t wanted = worthwhile_parts(shift, call.count * call.outputs * call.taps * call.inputs);
    const std::size_t parts = std::max<std::size_t>(1, std::min(wanted, vectors / kVectorsEach));
    shift.share(parts, [&](std::size_t n) {
      const std::size_t first = vectors * n / parts * kRowLanes;
      ColumnsCall part = call;
      part.x += first;
      part.count = std::min(vectors * (n + 1) / parts * kRowLanes, call.count) - first;
      part.end = moved(call.end, 0, first);
      kernels_.columns(part);
    });
  }

  static constexpr std::size_t kVectorsEach = 6;  // of a part at least

  const ConvKernels& kernels_;
  const Ending ending_;
};

class Conv : public Weighted {
 public:
  Conv(Plan& plan, int input, const ConvWeights& weights, std::size_t dilation, Count left, Count right,
       const Ending& ending)
      : Weighted(plan, input, ending),
        rows_(plan.stream(input).layout == Layout::kTimeMajor),
        outputs_(weights.outputs),
        inputs_(weights.inputs),
        taps_(weights.taps),
        dilation_(dilation),
        left_(left),
        right_(right),
        span_(static_cast<Count>((weights.taps - 1) * dilation)),
        reflects_(plan.stream(input).edge == Edge::kReflect),
        bias_(weights.bias, weights.bias + weights.outputs) {
    bias_.resize(whole_lanes(outputs_), 0.0f);
    const Weight weight = [&](std::size_t o, std::size_t i, std::size_t tap) {
      return weights.values[(o * inputs_ + i) * taps_ + tap];
    };
    if (rows_) {
      product_ = make_product(plan, {outputs_, inputs_, taps_}, weights.layers, bias_, weight);
    } else {
      place_ = plan.store(pack_columns(outputs_, inputs_, taps_, weight));
    }
  }

  Count decided(std::size_t input, Count n, bool closed) const override {
    if (input > 0) return n;
    if (n == 0) return 0;
    if (closed) return n + left_ + right_ - span_;
    return reflects_ && n <= left_ ? 0 : std::max<Count>(0, n + left_ - span_);
  }
  Count reads_from(std::size_t input, Count done) const override { return input > 0 ? done : done - left_; }
  Count before(std::size_t input) const override { return input > 0 ? 0 : left_; }
  Count after(std::size_t input) const override { return input > 0 ? 0 : right_; }

  void run(const Plan& plan, std::span<const Work> works) const override {
    for (const Work& work : works) rows_ ? run_rows(plan, work) : run_columns(plan, work);
  }

 private:
  void run_rows(const Plan& plan, const Work& work) const {
    const std::size_t width = plan.stream(input()).width;
    product_->run(plan, {plan.at(work.state(), input(), work.first - left_), width, width * dilation_},
                  static_cast<std::size_t>(work.count), epilogue(plan, work.state(), work.first), *work.shift);
  }

  void run_columns(const Plan& plan, const Work& work) const {
    share_columns({.x = plan.at(work.state(), input(), work.first - left_), .x_stride = plan.stream(input()).width,
                   .dilation = dilation_, .weights = plan.weights(place_), .bias = bias_.data(), .taps = taps_,
                   .inputs = inputs_, .outputs = outputs_, .count = static_cast<std::size_t>(work.count),
                   .end = epilogue(plan, work.state(), work.first)},
                  *work.shift);
  }

  const bool rows_;
  const std::size_t outputs_, inputs_, taps_, dilation_;
  const Count left_, right_, span_;
  const bool reflects_;
  Floats bias_;
  std::unique_ptr<RowProduct> product_;  // of rows
  std::size_t place_ = 0;                // of columns' weights
};

// Computed as a convolution of groups: each gives `stride` outputs, all phases of all channels.
class Transposed : public Weighted {
 public:
  Transposed(Plan& plan, int input, const ConvWeights& weights, Count stride, Count padding, Count longer,
             const Ending& ending)
      : Weighted(plan, input, ending),
        rows_(plan.stream(input).layout == Layout::kTimeMajor),
        outputs_(weights.outputs),
        inputs_(weights.inputs),
        reach_((static_cast<Count>(weights.taps) + stride - 1) / stride - 1),
        stride_(stride),
        padding_(padding),
        longer_(longer),
        hold_(std::max<Count>(0, -longer)) {
    const auto phases = static_cast<std::size_t>(stride);
    const std::size_t each = rows_ ? whole_lanes(outputs_) : 1;  // outputs between phases
    const std::size_t sums = rows_ ? phases * each : phases * outputs_;
    bias_.assign(whole_lanes(sums), 0.0f);
    const auto output_of = [&](std::size_t sum) { return rows_ ? sum % each : sum / phases; };
    const auto phase_of = [&](std::size_t sum) { return rows_ ? sum / each : sum % phases; };
    for (std::size_t s = 0; s < sums; ++s) {
      if (output_of(s) < outputs_) bias_[s] = weights.bias[output_of(s)];
    }
    const Weight weight = [&](std::size_t sum, std::size_t i, std::size_t tap) {
      const std::size_t o = output_of(sum);
      const std::size_t from = phase_of(sum) + (static_cast<std::size_t>(reach_) - tap) * phases;
      if (o >= outputs_ || from >= weights.taps) return 0.0f;
      return weights.values[(i * outputs_ + o) * weights.taps + from];
    };
    sums_ = sums;
    if (rows_) {
      product_ = make_product(plan, {sums, inputs_, taps()}, weights.layers, bias_, weight);
    } else {
      place_ = plan.store(pack_columns(sums, inputs_, taps(), weight));
    }
  }

  Count decided(std::size_t, Count n, bool closed) const override {
    if (n == 0) return 0;
    if (closed) return n * stride_ - padding_ + longer_;
    return std::max<Count>(0, n * stride_ - padding_ - hold_);
  }
  Count reads_from(std::size_t, Count done) const override { return (done + padding_) / stride_ - reach_; }
  Count before(std::size_t) const override { return reach_; }
  Count after(std::size_t) const override { return std::max<Count>(0, floor_of(longer_ - 1, stride_) + 1); }
  Count guard() const override { return rows_ ? stride_ - 1 : 0; }
  Count beyond() const override { return rows_ ? stride_ - 1 : 0; }
  Count lead() const override { return rows_ ? padding_ : 0; }
  std::size_t scratch(const Plan& plan) const override {
    if (rows_) return 0;
    return sums_ * group_width(plan.stream(primary()).moments / static_cast<std::size_t>(stride_) + 2);
  }

  void run(const Plan& plan, std::span<const Work> works) const override {
    for (const Work& work : works) rows_ ? run_rows(plan, work) : run_columns(plan, work);
  }

 private:
  std::size_t taps() const { return static_cast<std::size_t>(reach_) + 1; }
  static std::size_t group_width(std::size_t groups) { return whole_lanes(groups) + kOverrun; }

  void run_rows(const Plan& plan, const Work& work) const {
    const Count group = (work.first + padding_) / stride_;
    const Count groups = (work.first + work.count - 1 + padding_) / stride_ - group + 1;
    const Count begin = group * stride_ - padding_;
    const std::size_t width = plan.stream(input()).width;
    Epilogue end = epilogue(plan, work.state(), begin);
    end.raw_stride *= static_cast<std::size_t>(stride_);
    end.active_stride *= static_cast<std::size_t>(stride_);
    product_->run(plan, {plan.at(work.state(), input(), group - reach_), width, width},
                  static_cast<std::size_t>(groups), end, *work.shift);
    if (begin >= 0) return;
    for (const int to : {raw, active}) {  // what is cropped stood where the stream's own edge stands
      if (to == kNone) continue;
      const std::size_t cropped = static_cast<std::size_t>(-begin) * plan.stream(to).width;
      std::memset(plan.at(work.state(), to, begin), 0, cropped * sizeof(float));
    }
  }

  void run_columns(const Plan& plan, const Work& work) const {
    const Count group = (work.first + padding_) / stride_;
    const auto groups = static_cast<std::size_t>((work.first + work.count - 1 + padding_) / stride_ - group + 1);
    const std::size_t width = group_width(groups);
    float* sums = plan.scratch(work.state());
    Epilogue end;
    end.raw = sums;
    end.raw_stride = width;
    share_columns({.x = plan.at(work.state(), input(), group - reach_), .x_stride = plan.stream(input()).width,
                   .dilation = 1, .weights = plan.weights(place_), .bias = bias_.data(), .taps = taps(),
                   .inputs = inputs_, .outputs = sums_, .count = groups, .end = end},
                  *work.shift);
    interleave(plan, work.state(), sums, width, group * stride_ - padding_, work.first, work.count);
  }

  // Lays the phases of every channel between each other; `begin` is the moment of the first sum.
  void interleave(const Plan& plan, PlanState& state, const float* sums, std::size_t width, Count begin,
                  Count first, Count count) const {
    const Epilogue end = epilogue(plan, state, first);
    const auto skipped = static_cast<std::size_t>(first - begin), phases = static_cast<std::size_t>(stride_);
    for (std::size_t o = 0; o < outputs_; ++o) {
      const float* from = sums + o * phases * width;
      float* const raw_row = end.raw ? end.raw + o * end.raw_stride : nullptr;
      float* const active_row = end.active ? end.active + o * end.active_stride : nullptr;
      std::size_t phase = skipped % phases, group = skipped / phases;
      for (std::size_t n = 0; n < static_cast<std::size_t>(count); ++n) {
        const float y = from[phase * width + group] * end.scale;
        if (raw_row) raw_row[n] = y;
        if (active_row) active_row[n] = y > y * end.slope ? y : y * end.slope;
        if (++phase == phases) phase = 0, ++group;
      }
    }
  }

  const bool rows_;
  const std::size_t outputs_, inputs_;
  const Count reach_, stride_, padding_, longer_, hold_;
  std::size_t sums_ = 0;
  Floats bias_;
  std::unique_ptr<RowProduct> product_;  // of rows
  std::size_t place_ = 0;                // of columns' weights
};

// Refuses sizes that do not fit the streams they are for.
void check(const Plan& plan, int input, const ConvWeights& weights, const Ending& ending) {
  const std::size_t wanted = weights.layers ? weights.layers * int8_width(weights.inputs) : weights.inputs;
  expect("the number of a convolution's inputs", wanted, plan.stream(input).channels);
  if (weights.layers && plan.stream(input).layout != Layout::kTimeMajor) {
    throw std::invalid_argument("8-bit integers are multiplied where time is the outer axis.");
  }
  at_least_one("the number of taps", weights.taps);
  if (ending.raw == kNone && ending.active == kNone) throw std::invalid_argument("a convolution writes nothing.");
  for (const int to : {ending.raw, ending.active, ending.first, ending.second}) {
    if (to == kNone) continue;
    expect("the number of a convolution's outputs", plan.stream(to).channels, weights.outputs);
    if (plan.stream(to).layout != plan.stream(input).layout) {
      throw std::invalid_argument("a convolution's streams have different layouts.");
    }
  }
}

}  // namespace

std::unique_ptr<Node> make_conv(Plan& plan, int input, const ConvWeights& weights, std::size_t dilation,
                                Count left, Count right, const Ending& ending) {
  check(plan, input, weights, ending);
  at_least_one("a dilation", dilation);
  if (left < 0 || right < 0) throw std::invalid_argument("a convolution's padding is negative.");
  return std::make_unique<Conv>(plan, input, weights, dilation, left, right, ending);
}

std::unique_ptr<Node> make_transposed(Plan& plan, int input, const ConvWeights& weights, Count stride,
                                      Count padding, Count longer, const Ending& ending) {
  check(plan, input, weights, ending);
  if (stride < 1 || padding < 0) throw std::invalid_argument("a transposed convolution's numbers are negative.");
  if (ending.first != kNone || ending.second != kNone) throw std::invalid_argument("nothing is added there.");
  return std::make_unique<Transposed>(plan, input, weights, stride, padding, longer, ending);
}

}  // namespace synthhost
