#include "samplernn_loop.hpp"

#include <algorithm>

#include "denormals.hpp"
#include "draw.hpp"

namespace synthhost {

namespace {

constexpr std::size_t kGates = 3;  // reset, update, new

}  // namespace

SampleRnnLoop::SampleRnnLoop(const SampleRnnWeights& weights, const Kernels& kernels)
    : kernels_(kernels),
      identity_(std::make_shared<const char>('s')),
      dim_(at_least_one("the number of channels", weights.hidden.rows)),
      width_(padded(dim_)),
      ids_(at_least_one("the number of ids", weights.output.rows)) {
  at_least_one("the number of tiers", weights.tiers.size());
  for (const SampleRnnTierWeights& tier : weights.tiers) pack_tier(tier);
  pack_perceptron(weights);
  for (std::size_t id = 0; id < ids_; ++id) {
    level_of_.push_back(2.0f * (2.0f * static_cast<float>(id) / static_cast<float>(ids_) - 1.0f));
  }
}

void SampleRnnLoop::pack_tier(const SampleRnnTierWeights& weights) {
  Tier tier;
  const std::size_t size = at_least_one("a frame size", weights.upsampling.rows / dim_);
  look_back_ *= size;
  tier.span = look_back_;
  expect("the number of a tier's outputs", weights.upsampling.rows, size * dim_);
  expect("the number of an upsampling's inputs", weights.upsampling.columns, dim_);
  expect("the number of an upsampling's biases", weights.upsampling_bias.size(), size * dim_);
  expect("the number of samples that a tier sees", weights.input.columns, tier.span);
  expect("the number of an input's channels", weights.input.rows, dim_);
  expect("the number of an input's biases", weights.input_bias.size(), dim_);
  tier.input = PackedMatrix(weights.input);
  append_padded(tier.input_bias, weights.input_bias.data(), 1, dim_);
  for (std::size_t n = 0; n < size; ++n) {
    tier.upsampling.emplace_back(weights.upsampling.part(n * dim_, dim_));
  }
  append_padded(tier.upsampling_bias, weights.upsampling_bias.data(), size, dim_);
  pack_layers(weights, tier);
  tiers_.push_back(std::move(tier));
}

void SampleRnnLoop::pack_layers(const SampleRnnTierWeights& weights, Tier& tier) {
  const std::size_t gates = kGates * dim_;
  const std::size_t layers = at_least_one("the number of recurrent layers", weights.start.size() / dim_);
  expect("the number of hidden channels", weights.start.size(), layers * dim_);
  for (const Matrix& matrix : {weights.from_input, weights.from_hidden}) {
    expect("the number of gates", matrix.rows, layers * gates);
    expect("the number of a gate's inputs", matrix.columns, dim_);
  }
  expect("the number of the gates' biases", weights.from_input_bias.size(), layers * gates);
  expect("the number of the gates' biases", weights.from_hidden_bias.size(), layers * gates);
  const std::vector<std::size_t> parts(kGates, dim_);
  for (std::size_t n = 0; n < layers; ++n) {
    Layer layer;
    layer.from_input = PackedMatrix(weights.from_input.part(n * gates, gates), parts);
    layer.from_hidden = PackedMatrix(weights.from_hidden.part(n * gates, gates), parts);
    append_padded(layer.from_input_bias, weights.from_input_bias.data() + n * gates, kGates, dim_);
    append_padded(layer.from_hidden_bias, weights.from_hidden_bias.data() + n * gates, kGates, dim_);
    layer.hidden = start_.size();
    append_padded(start_, weights.start.data() + n * dim_, 1, dim_);
    tier.layers.push_back(std::move(layer));
  }
}

void SampleRnnLoop::pack_perceptron(const SampleRnnWeights& weights) {
  const std::size_t places = tiers_[0].span;
  expect("the number of rows that ids add", weights.taps.rows, places * ids_);
  expect("the number of channels that ids add", weights.taps.columns, dim_);
  expect("the number of the hidden layer's inputs", weights.hidden.columns, dim_);
  expect("the number of the hidden layer's biases", weights.hidden_bias.size(), dim_);
  expect("the number of the output layer's inputs", weights.output.columns, dim_);
  expect("the number of the output layer's biases", weights.output_bias.size(), ids_);
  append_padded(taps_, weights.taps.values, places * ids_, dim_);
  hidden_ = PackedMatrix(weights.hidden);
  append_padded(hidden_bias_, weights.hidden_bias.data(), 1, dim_);
  output_ = PackedMatrix(weights.output);
  append_padded(output_bias_, weights.output_bias.data(), 1, ids_);
}

SampleRnnState SampleRnnLoop::new_state() const {
  SampleRnnState state;
  const std::size_t silence = ids_ / 2;
  state.owner_ = identity_;
  state.recent_.assign(2 * look_back_, static_cast<std::uint32_t>(silence));
  state.levels_.assign(2 * look_back_, level_of_[silence]);
  state.hidden_ = start_;
  state.x_.assign(width_, 0.0f);
  state.gates_.assign(kGates * width_, 0.0f);
  state.heard_.assign(kGates * width_, 0.0f);
  state.logits_.assign(padded(ids_), 0.0f);
  state.probabilities_.assign(ids_, 0.0);
  return state;
}

void SampleRnnLoop::check(const SampleRnnState& state) const {
  if (state.owner_ != identity_) {
    throw std::invalid_argument("the state belongs to another network; take one from this loop's new_state().");
  }
}

void SampleRnnLoop::run(const double* uniforms, double temperature, SampleRnnState& state, std::size_t samples,
                        float* out) const {
  const FlushDenormals flushing;
  for (std::size_t n = 0; n < samples; ++n) {
    for (std::size_t index = tiers_.size(); index-- > 0;) {
      if (state.place_ % tiers_[index].span == 0) run_tier(index, state);
    }
    const std::size_t id = next_id(uniforms[n], temperature, state);
    take_in(id, state);
    out[n] = 2.0f * static_cast<float>(id) / static_cast<float>(ids_) - 1.0f;
  }
}

// Moves a tier on by one frame: from the samples it covers and what the tier above says at this place.
void SampleRnnLoop::run_tier(std::size_t index, SampleRnnState& state) const {
  const Tier& tier = tiers_[index];
  const float* seen = state.levels_.data() + state.place_ + look_back_ - tier.span;
  std::copy(tier.input_bias.begin(), tier.input_bias.end(), state.x_.begin());
  tier.input.add_product(kernels_, seen, state.x_.data());
  if (index + 1 < tiers_.size()) add_above(index + 1, state.place_ / tier.span, state);
  const float* x = state.x_.data();
  for (const Layer& layer : tier.layers) {
    run_layer(layer, x, state);
    x = state.hidden_.data() + layer.hidden;
  }
}

// h = (1 - z) n + z h, with r and z sigmoids of both products' sum, n = tanh(W x + r (U h)) (Cho et al. 2014,
// the reset gate behind the product as in cuDNN and torch).
void SampleRnnLoop::run_layer(const Layer& layer, const float* x, SampleRnnState& state) const {
  float* gates = state.gates_.data();
  float* heard = state.heard_.data();
  float* hidden = state.hidden_.data() + layer.hidden;
  std::copy(layer.from_input_bias.begin(), layer.from_input_bias.end(), gates);
  layer.from_input.add_product(kernels_, x, gates);
  std::copy(layer.from_hidden_bias.begin(), layer.from_hidden_bias.end(), heard);
  layer.from_hidden.add_product(kernels_, hidden, heard);
  const float* reset = gates;
  const float* update = gates + width_;
  float* fresh = gates + 2 * width_;
  for (std::size_t i = 0; i < 2 * width_; ++i) gates[i] += heard[i];
  kernels_.sigmoid(gates, gates, 2 * width_);
  for (std::size_t i = 0; i < width_; ++i) fresh[i] += reset[i] * heard[2 * width_ + i];
  kernels_.hyperbolic_tangent(fresh, fresh, width_);
  for (std::size_t i = 0; i < width_; ++i) hidden[i] = fresh[i] + update[i] * (hidden[i] - fresh[i]);
}

// x += what a tier says at a position, counted from any frame's beginning.
void SampleRnnLoop::add_above(std::size_t index, std::size_t position, SampleRnnState& state) const {
  const Tier& tier = tiers_[index];
  const std::size_t at = position % tier.upsampling.size();
  const float* bias = tier.upsampling_bias.data() + at * width_;
  for (std::size_t i = 0; i < width_; ++i) state.x_[i] += bias[i];
  tier.upsampling[at].add_product(kernels_, state.hidden_.data() + tier.layers.back().hidden, state.x_.data());
}

std::size_t SampleRnnLoop::next_id(double u, double temperature, SampleRnnState& state) const {
  const std::size_t places = tiers_[0].span;
  const std::uint32_t* recent = state.recent_.data() + state.place_ + look_back_ - places;
  float* x = state.x_.data();
  std::fill(state.x_.begin(), state.x_.end(), 0.0f);
  for (std::size_t n = 0; n < places; ++n) {
    const float* added = taps_.data() + (n * ids_ + recent[n]) * width_;
    for (std::size_t i = 0; i < width_; ++i) x[i] += added[i];
  }
  add_above(0, state.place_, state);
  kernels_.rectify(x, dim_);
  float* hidden = state.gates_.data();
  std::copy(hidden_bias_.begin(), hidden_bias_.end(), hidden);
  hidden_.add_product(kernels_, x, hidden);
  kernels_.rectify(hidden, dim_);
  std::copy(output_bias_.begin(), output_bias_.end(), state.logits_.begin());
  output_.add_product(kernels_, hidden, state.logits_.data());
  return categorical(kernels_, state.logits_.data(), ids_, u, temperature, state.probabilities_.data());
}

void SampleRnnLoop::take_in(std::size_t id, SampleRnnState& state) const {
  for (const std::size_t at : {state.place_, state.place_ + look_back_}) {
    state.recent_[at] = static_cast<std::uint32_t>(id);
    state.levels_[at] = level_of_[id];
  }
  state.place_ = (state.place_ + 1) % look_back_;
}

}  // namespace synthhost
