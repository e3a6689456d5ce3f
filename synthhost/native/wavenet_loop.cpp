#include "wavenet_loop.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "denormals.hpp"
#include "draw.hpp"

namespace synthhost {

namespace {

constexpr std::size_t kBlock = 16;  // samples whose conditions are computed together

void copy(const float* from, float* to, std::size_t count) { std::memcpy(to, from, count * sizeof(float)); }

// The nearest of 0 ... highest to a value that may be anything.
double within(double value, double highest) {
  return !(value > 0.0) ? 0.0 : value > highest ? highest : value;
}

}  // namespace

WavenetLoop::WavenetLoop(const WavenetWeights& weights, const WavenetOutput& output, const Kernels& kernels)
    : kernels_(kernels),
      identity_(std::make_shared<const char>('w')),
      output_(output),
      gate_(weights.gate),
      kernel_(at_least_one("the kernel", weights.kernel)),
      residual_(at_least_one("the number of residual channels", weights.first.columns)),
      classes_(at_least_one("the number of inputs", weights.first.rows)),
      residual_scale_(weights.residual_scale),
      first_(weights.first.values, weights.first.values + classes_ * residual_),
      first_bias_(weights.first_bias.begin(), weights.first_bias.end()) {
  expect("the length of the first bias", first_bias_.size(), residual_);
  if (classes_ > 1) {
    for (std::size_t n = 0; n < first_.size(); ++n) first_[n] += first_bias_[n % residual_];
  }
  pack_layers(weights);
  pack_heads(weights);
  check_output();
}

void WavenetLoop::pack_layers(const WavenetWeights& weights) {
  const std::size_t layers = at_least_one("the number of layers", weights.dilations.size());
  const std::size_t parts = gate_ == Gate::kTanhSigmoid ? 2 : 1;
  gated_ = at_least_one("the number of gated channels", weights.mixes.columns);
  const std::size_t mixed = weights.mixes.rows / layers, gates = parts * gated_;
  if (mixed <= residual_) throw std::invalid_argument("the layers' outputs leave no channels to be skipped.");
  skip_ = mixed - residual_;
  gate_width_ = parts * padded(gated_);
  stream_width_ = padded(residual_) + padded(skip_);
  expect("the number of the convolutions' rows", weights.convs.rows, layers * gates);
  expect("the number of the convolutions' columns", weights.convs.columns, kernel_ * residual_);
  expect("the number of the convolutions' biases", weights.conv_biases.size(), layers * gates);
  expect("the number of the mixes' rows", weights.mixes.rows, layers * mixed);
  expect("the number of the mixes' biases", weights.mix_biases.size(), layers * mixed);
  append_padded(row_, weights.conv_biases.data(), layers * parts, gated_);
  skip_bias_.assign(skip_, 0.0f);
  for (std::size_t n = 0; n < layers; ++n) {
    const std::size_t dilation = at_least_one("a dilation", weights.dilations[n]);
    const float* bias = weights.mix_biases.data() + n * mixed;
    layers_.push_back({ring_floats_, (kernel_ - 1) * dilation, dilation,
                       PackedMatrix(weights.convs.part(n * gates, gates), std::vector(parts, gated_)),
                       PackedMatrix(weights.mixes.part(n * mixed, mixed), {residual_, skip_}),
                       Floats(bias, bias + residual_)});
    ring_floats_ += layers_.back().length * residual_;
    for (std::size_t s = 0; s < skip_; ++s) skip_bias_[s] += bias[residual_ + s];
  }
  if (weights.conditions.columns > 0) {
    condition_ = PackedMatrix(weights.conditions, std::vector(layers * parts, gated_));
  }
}

void WavenetLoop::pack_heads(const WavenetWeights& weights) {
  at_least_one("the number of heads", weights.heads.size());
  expect("the number of the heads' biases", weights.head_biases.size(), weights.heads.size());
  std::size_t width = skip_;
  for (std::size_t n = 0; n < weights.heads.size(); ++n) {
    const Matrix& head = weights.heads[n];
    expect("the number of a head's columns", head.columns, width);
    width = at_least_one("the number of a head's rows", head.rows);
    expect("the length of a head's bias", weights.head_biases[n].size(), width);
    heads_.emplace_back(head);
    head_biases_.emplace_back();
    append_padded(head_biases_.back(), weights.head_biases[n].data(), 1, width);
    head_width_ = std::max(head_width_, padded(width));
  }
  outputs_ = width;
}

void WavenetLoop::check_output() const {
  const bool ids = output_.distribution == Distribution::kSoftmax;
  if (classes_ > 1 && !ids) throw std::invalid_argument("a network that hears ids must draw ids.");
  if (classes_ > 1) expect("the number of ids drawn", outputs_, classes_);
  if (output_.distribution == Distribution::kNormal) expect("the outputs of a normal distribution", outputs_, 2);
  if (output_.distribution == Distribution::kLogistics) {
    expect("the remainder of the outputs of a mixture by 3", outputs_ % 3, 0);
  }
  if (ids && !(output_.levels > 0.0)) throw std::invalid_argument("ids need a number of levels above 0.");
  if (classes_ > 1 && !(output_.start >= 0.0 && output_.start < static_cast<double>(classes_))) {
    throw std::invalid_argument("the first id lies outside the classes.");
  }
  for (const double value : {output_.companding, output_.de_emphasis, output_.gain, output_.start}) {
    if (!std::isfinite(value)) throw std::invalid_argument("a number about the output is not finite.");
  }
}

std::size_t WavenetLoop::uniforms() const {
  if (output_.distribution == Distribution::kSoftmax) return 1;
  return output_.distribution == Distribution::kLogistics ? outputs_ / 3 + 1 : 0;
}

WavenetState WavenetLoop::new_state() const {
  WavenetState state;
  state.owner_ = identity_;
  state.rings_.assign(ring_floats_, 0.0f);
  state.places_.assign(layers_.size(), 0);
  state.heard_ = output_.start;
  state.rows_.assign(conditions() ? kBlock * row_.size() : 0, 0.0f);
  state.stream_.assign(stream_width_, 0.0f);
  state.window_.assign(kernel_ * residual_, 0.0f);
  state.gates_.assign(gate_width_, 0.0f);
  state.gated_.assign(gated_, 0.0f);
  state.head_.assign(2 * head_width_, 0.0f);
  state.probabilities_.assign(outputs_, 0.0);
  return state;
}

void WavenetLoop::check(const WavenetState& state) const {
  if (state.owner_ != identity_) {
    throw std::invalid_argument("the state belongs to another network; take one from this loop's new_state().");
  }
}

void WavenetLoop::run(const float* condition, const double* uniforms, const float* normals, double temperature,
                      WavenetState& state, std::size_t samples, float* out, float* values) const {
  const FlushDenormals flushing;
  const std::size_t drawn_uniforms = this->uniforms(), drawn_normals = this->normals();
  for (std::size_t first = 0; first < samples; first += kBlock) {
    const std::size_t count = std::min(kBlock, samples - first);
    lay_out_rows(condition + first * conditions(), count, state);
    for (std::size_t n = first; n < first + count; ++n) {
      const float* row = conditions() ? state.rows_.data() + (n - first) * row_.size() : row_.data();
      const float* last = network(row, state);
      const double value =
          draw(last, uniforms + n * drawn_uniforms, normals + n * drawn_normals, temperature, state);
      if (values) values[n] = static_cast<float>(value);
      out[n] = sound_of(value, state);
      state.heard_ = heard_of(value);
    }
  }
}

void WavenetLoop::hear(const float* condition, const float* values, WavenetState& state,
                       std::size_t samples) const {
  const FlushDenormals flushing;
  for (std::size_t n = 0; n < samples; ++n) {
    state.heard_ = classes_ > 1 ? within(values[n], classes_ - 1.0) : static_cast<double>(values[n]);
    if (n + 1 == samples) break;
    lay_out_rows(condition + n * conditions(), 1, state);
    network(conditions() ? state.rows_.data() : row_.data(), state);
  }
}

// Computes what conditions and biases add to every layer's gates, `samples` rows of it.
void WavenetLoop::lay_out_rows(const float* condition, std::size_t samples, WavenetState& state) const {
  if (!conditions()) return;
  for (std::size_t n = 0; n < samples; ++n) copy(row_.data(), &state.rows_[n * row_.size()], row_.size());
  condition_.add_products(kernels_, condition, conditions(), state.rows_.data(), row_.size(), samples);
}

// Runs all layers once and returns what the distribution is made of.
const float* WavenetLoop::network(const float* row, WavenetState& state) const {
  enter(state);
  for (std::size_t n = 0; n < layers_.size(); ++n) {
    pass(layers_[n], state.places_[n], row + n * gate_width_, state);
  }
  float* from = state.stream_.data() + padded(residual_);
  float* to = state.head_.data();
  std::size_t width = skip_;
  for (std::size_t n = 0; n < heads_.size(); ++n) {
    kernels_.rectify(from, width);
    copy(head_biases_[n].data(), to, head_biases_[n].size());
    heads_[n].add_product(kernels_, from, to);
    width = heads_[n].outputs();
    from = to;
    to = from == state.head_.data() ? state.head_.data() + head_width_ : state.head_.data();
  }
  return from;
}

// Begins a sample's stream: what was heard, as the first layer's input, and the skips' biases.
void WavenetLoop::enter(WavenetState& state) const {
  float* stream = state.stream_.data();
  if (classes_ > 1) {
    copy(first_.data() + static_cast<std::size_t>(state.heard_) * residual_, stream, residual_);
  } else {
    const float heard = static_cast<float>(state.heard_);
    for (std::size_t r = 0; r < residual_; ++r) stream[r] = first_[r] * heard + first_bias_[r];
  }
  copy(skip_bias_.data(), stream + padded(residual_), skip_);
}

// Takes a stream through one layer: its input becomes the next one's, its skip is added to the sum.
void WavenetLoop::pass(const Layer& layer, std::size_t& place, const float* row, WavenetState& state) const {
  gather(layer, place, state);
  float* gates = state.gates_.data();
  float* gated = state.gated_.data();
  float* stream = state.stream_.data();
  copy(row, gates, gate_width_);
  layer.conv.add_product(kernels_, state.window_.data(), gates);
  if (gate_ == Gate::kTanhSigmoid) {
    kernels_.gate(gates, gates + padded(gated_), gated, gated_);
  } else {
    kernels_.rectify(gates, gated_);
    copy(gates, gated, gated_);
  }
  const float* bias = layer.residual_bias.data();
  for (std::size_t r = 0; r < residual_; ++r) stream[r] = residual_scale_ * stream[r] + bias[r];
  layer.mix.add_product(kernels_, gated, stream);
}

// Lays the taps of a layer's window side by side and lets its ring take in the newest.
void WavenetLoop::gather(const Layer& layer, std::size_t& place, WavenetState& state) const {
  float* ring = state.rings_.data() + layer.ring;
  float* window = state.window_.data();
  const float* newest = state.stream_.data();
  std::size_t at = place;
  for (std::size_t tap = 0; tap + 1 < kernel_; ++tap, window += residual_) {
    copy(ring + at * residual_, window, residual_);
    at += layer.dilation;
    if (at >= layer.length) at -= layer.length;
  }
  copy(newest, window, residual_);
  if (!layer.length) return;
  copy(newest, ring + place * residual_, residual_);
  place = place + 1 == layer.length ? 0 : place + 1;
}

double WavenetLoop::draw(const float* last, const double* uniforms, const float* normals, double temperature,
                         WavenetState& state) const {
  switch (output_.distribution) {
    case Distribution::kSoftmax:
      return static_cast<double>(
          categorical(kernels_, last, outputs_, *uniforms, temperature, state.probabilities_.data()));
    case Distribution::kLogistics:
      return mixture_of_logistics(last, outputs_ / 3, uniforms, temperature);
    case Distribution::kNormal:
      break;
  }
  return gaussian(last, *normals, temperature);
}

// Where ids are drawn but values heard, the network hears amplitudes.
double WavenetLoop::heard_of(double value) const {
  return classes_ == 1 && output_.distribution == Distribution::kSoftmax ? amplitude_of(value) : value;
}

double WavenetLoop::amplitude_of(double value) const {
  const double level =
      output_.distribution == Distribution::kSoftmax ? 2.0 * value / output_.levels - 1.0 : value;
  if (!(output_.companding > 0.0)) return level;
  const double size = std::expm1(std::fabs(level) * std::log1p(output_.companding)) / output_.companding;
  return level < 0.0 ? -size : size;
}

float WavenetLoop::sound_of(double value, WavenetState& state) const {
  state.emphasised_ = amplitude_of(value) + output_.de_emphasis * state.emphasised_;
  return static_cast<float>(state.emphasised_ * output_.gain);
}

}  // namespace synthhost
