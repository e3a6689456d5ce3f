#include "samplernn_loop.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "companding.hpp"
#include "denormals.hpp"
#include "draw.hpp"

namespace synthhost {

namespace {

constexpr std::size_t kGates = 3;  // reset, update, new
constexpr std::size_t kNone = static_cast<std::size_t>(-1);
constexpr std::size_t kMostPlaces = 4096;  // of samples that the lowest tier's frame may hold

}  // namespace

SampleRnnLoop::SampleRnnLoop(const SampleRnnWeights& weights, const Kernels& kernels, Precision precision)
    : kernels_(kernels),
      identity_(std::make_shared<const char>('s')),
      dim_(at_least_one("the number of channels", weights.hidden.rows)),
      width_(padded(dim_)),
      ids_(at_least_one("the number of ids", weights.output.rows)),
      matrices_(precision) {
  at_least_one("the number of tiers", weights.tiers.size());
  if (!std::isfinite(weights.companding)) throw std::invalid_argument("companding is not finite.");
  for (const SampleRnnTierWeights& tier : weights.tiers) pack_tier(tier);
  pack_perceptron(weights);
  for (std::size_t id = 0; id < ids_; ++id) {
    const float level = 2.0f * static_cast<float>(id) / static_cast<float>(ids_) - 1.0f;
    level_of_.push_back(2.0f * level);
    amplitude_of_.push_back(static_cast<float>(expanded(level, weights.companding)));
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
  tier.input = matrices_.add(weights.input);
  append_padded(tier.input_bias, weights.input_bias.data(), 1, dim_);
  append_padded(tier.upsampling_bias, weights.upsampling_bias.data(), size, dim_);
  pack_layers(weights, tier);
  for (std::size_t n = 0; n < size; ++n) {
    tier.upsampling.push_back(matrices_.add(weights.upsampling.part(n * dim_, dim_)));
  }
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
    layer.from_input = matrices_.add(weights.from_input.part(n * gates, gates), parts);
    layer.from_hidden = matrices_.add(weights.from_hidden.part(n * gates, gates), parts);
    append_padded(layer.from_input_bias, weights.from_input_bias.data() + n * gates, kGates, dim_);
    append_padded(layer.from_hidden_bias, weights.from_hidden_bias.data() + n * gates, kGates, dim_);
    layer.hidden = start_.size();
    append_padded(start_, weights.start.data() + n * dim_, 1, dim_);
    tier.layers.push_back(std::move(layer));
  }
}

void SampleRnnLoop::pack_perceptron(const SampleRnnWeights& weights) {
  const std::size_t places = tiers_[0].span;
  if (places > kMostPlaces) throw std::invalid_argument("the lowest tier's frames are longer than 4096 samples.");
  expect("the number of rows that ids add", weights.taps.rows, places * ids_);
  expect("the number of channels that ids add", weights.taps.columns, dim_);
  expect("the number of the hidden layer's inputs", weights.hidden.columns, dim_);
  expect("the number of the hidden layer's biases", weights.hidden_bias.size(), dim_);
  expect("the number of the output layer's inputs", weights.output.columns, dim_);
  expect("the number of the output layer's biases", weights.output_bias.size(), ids_);
  hidden_ = matrices_.add(weights.hidden);
  append_padded(hidden_bias_, weights.hidden_bias.data(), 1, dim_);
  output_ = matrices_.add(weights.output);
  append_padded(output_bias_, weights.output_bias.data(), 1, ids_);
  taps_ = matrices_.add_table(weights.taps);
}

SampleRnnState SampleRnnLoop::new_state() const {
  SampleRnnState state;
  const std::size_t silence = ids_ / 2;
  state.owner_ = identity_;
  state.recent_.assign(2 * look_back_, static_cast<std::uint32_t>(silence));
  state.levels_.assign(2 * look_back_, level_of_[silence]);
  state.hidden_ = start_;
  state.said_.assign(width_, 0.0f);
  state.x_.assign(width_, 0.0f);
  state.gates_.assign(kGates * width_, 0.0f);
  state.heard_.assign(kGates * width_, 0.0f);
  state.logits_.assign(padded(ids_), 0.0f);
  state.probabilities_.assign(ids_ + padded(ids_) / kQuarterPanel, 0.0);
  return state;
}

void SampleRnnLoop::check(const SampleRnnState& state) const {
  if (state.owner_ != identity_) {
    throw std::invalid_argument("the state belongs to another network; take one from this loop's new_state().");
  }
}

void SampleRnnLoop::check_in_step(const SampleRnnState& state, const SampleRnnState& other) const {
  if (state.place_ != other.place_) {
    throw std::invalid_argument("voices that run together must have made equally many samples, or run them alone.");
  }
}

void SampleRnnLoop::run(const SampleRnnVoice* voices, std::size_t count, double temperature,
                        std::size_t samples) const {
  const FlushDenormals flushing;
  for (std::size_t first = 0; first < count; first += kTogether) {
    const std::size_t together = std::min(kTogether, count - first);
    const SampleRnnVoice* some = voices + first;
    for (std::size_t n = 0; n < samples; ++n) {
      run_tiers(some, together);
      run_perceptron(some, together);
      for (std::size_t v = 0; v < together; ++v) {
        SampleRnnState& state = *some[v].state;
        const std::size_t id = categorical(kernels_, state.logits_.data(), ids_, some[v].uniforms[n], temperature,
                                           state.probabilities_.data());
        take_in(id, state);
        if (some[v].values) some[v].values[n] = static_cast<float>(id);
        some[v].out[n] = amplitude_of_[id];
      }
    }
  }
}

void SampleRnnLoop::predict(const float* values, SampleRnnState& state, std::size_t samples, float* outputs) const {
  const FlushDenormals flushing;
  const SampleRnnVoice voice{nullptr, &state, nullptr, nullptr};
  const float highest = static_cast<float>(ids_ - 1);
  for (std::size_t n = 0; n < samples; ++n) {
    run_tiers(&voice, 1);
    run_perceptron(&voice, 1);
    std::copy_n(state.logits_.data(), ids_, outputs + n * ids_);
    const float id = !(values[n] > 0.0f) ? 0.0f : values[n] > highest ? highest : values[n];
    take_in(static_cast<std::size_t>(id), state);
  }
}

// Moves on the tiers whose frames begin at this sample, the highest first.
void SampleRnnLoop::run_tiers(const SampleRnnVoice* voices, std::size_t count) const {
  for (std::size_t index = tiers_.size(); index-- > 0;) {
    if (voices->state->place_ % tiers_[index].span == 0) run_tier(index, voices, count);
  }
}

// Moves a tier on by one frame: from the samples it covers and what the tier above says at this place.
void SampleRnnLoop::run_tier(std::size_t index, const SampleRnnVoice* voices, std::size_t count) const {
  const Tier& tier = tiers_[index];
  const std::size_t place = voices->state->place_;
  Rows<kTogether> rows;
  for (std::size_t v = 0; v < count; ++v) {
    SampleRnnState& state = *voices[v].state;
    rows.add(state.levels_.data() + place + look_back_ - tier.span, tier.input_bias.data(), state.x_.data());
  }
  matrices_.product(kernels_, tier.input, rows);
  if (index + 1 < tiers_.size()) add_above(index + 1, voices, count, place / tier.span);
  std::size_t below = kNone;
  for (const Layer& layer : tier.layers) {
    run_layer(layer, below, voices, count);
    below = layer.hidden;
  }
}

// Moves a layer on by one frame, from `x_` or from the hidden state below.
void SampleRnnLoop::run_layer(const Layer& layer, std::size_t below, const SampleRnnVoice* voices,
                              std::size_t count) const {
  Rows<kTogether> inputs, hiddens;
  for (std::size_t v = 0; v < count; ++v) {
    SampleRnnState& state = *voices[v].state;
    const float* x = below == kNone ? state.x_.data() : state.hidden_.data() + below;
    inputs.add(x, layer.from_input_bias.data(), state.gates_.data());
    hiddens.add(state.hidden_.data() + layer.hidden, layer.from_hidden_bias.data(), state.heard_.data());
  }
  matrices_.product(kernels_, layer.from_input, inputs);
  matrices_.product(kernels_, layer.from_hidden, hiddens);
  for (std::size_t v = 0; v < count; ++v) mix_gates(layer, *voices[v].state);
}

// h = (1 - z) n + z h, with r and z sigmoids of both products' sum, n = tanh(W x + r (U h)) (Cho et al. 2014,
// the reset gate behind the product as in cuDNN and torch).
void SampleRnnLoop::mix_gates(const Layer& layer, SampleRnnState& state) const {
  float* gates = state.gates_.data();
  const float* heard = state.heard_.data();
  float* hidden = state.hidden_.data() + layer.hidden;
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
void SampleRnnLoop::add_above(std::size_t index, const SampleRnnVoice* voices, std::size_t count,
                              std::size_t position) const {
  const Tier& tier = tiers_[index];
  const std::size_t at = position % tier.upsampling.size();
  const float* bias = tier.upsampling_bias.data() + at * width_;
  Rows<kTogether> rows;
  for (std::size_t v = 0; v < count; ++v) {
    SampleRnnState& state = *voices[v].state;
    for (std::size_t i = 0; i < width_; ++i) state.x_[i] += bias[i];
    rows.add(state.hidden_.data() + tier.layers.back().hidden, state.x_.data(), state.x_.data());
  }
  matrices_.product(kernels_, tier.upsampling[at], rows);
}

// What the lowest tier says at a position of its frame, to be written to `said_`.
Rows<SampleRnnLoop::kTogether> SampleRnnLoop::said_at(std::size_t at, const SampleRnnVoice* voices,
                                                      std::size_t count) const {
  const Tier& tier = tiers_[0];
  Rows<kTogether> rows;
  for (std::size_t v = 0; v < count; ++v) {
    SampleRnnState& state = *voices[v].state;
    rows.add(state.hidden_.data() + tier.layers.back().hidden, tier.upsampling_bias.data() + at * width_,
             state.said_.data());
  }
  return rows;
}

// Computes the logits of the next ids. What the lowest tier says at the position after, which no id changes, is
// computed beside: its weights are read once a frame, so they come from far away.
void SampleRnnLoop::run_perceptron(const SampleRnnVoice* voices, std::size_t count) const {
  const std::vector<PackedPlace>& upsampling = tiers_[0].upsampling;
  const std::size_t at = voices->state->place_ % upsampling.size();
  if (at == 0) matrices_.product(kernels_, upsampling[0], said_at(0, voices, count));
  Rows<kTogether> hidden, output, said;
  for (std::size_t v = 0; v < count; ++v) {
    SampleRnnState& state = *voices[v].state;
    float* x = state.x_.data();
    add_ids(state);
    for (std::size_t i = 0; i < width_; ++i) x[i] += state.said_[i];
    kernels_.rectify(x, x, dim_);
    hidden.add(x, hidden_bias_.data(), state.gates_.data());
    output.add(state.gates_.data(), output_bias_.data(), state.logits_.data());
  }
  PackedPlace some, others;  // of no outputs where the lowest tier's frame ends
  if (at + 1 < upsampling.size()) {
    const PackedPlace& next = upsampling[at + 1];
    const std::size_t panels = next.panels() * hidden_.outputs / (hidden_.outputs + output_.outputs);
    some = matrices_.part(next, 0, panels);
    others = matrices_.part(next, panels, next.panels());
    said = said_at(at + 1, voices, count);
  }
  matrices_.product_beside(kernels_, hidden_, hidden, some, said);
  for (std::size_t v = 0; v < count; ++v) {
    float* x = voices[v].state->gates_.data();
    kernels_.rectify(x, x, dim_);
  }
  matrices_.product_beside(kernels_, output_, output, others, said.beyond(some.outputs));
}

// x = what the latest ids add, each at its place.
void SampleRnnLoop::add_ids(SampleRnnState& state) const {
  const std::size_t places = tiers_[0].span;
  const std::uint32_t* recent = state.recent_.data() + state.place_ + look_back_ - places;
  std::size_t rows[kMostPlaces];
  for (std::size_t n = 0; n < places; ++n) rows[n] = n * ids_ + recent[n];
  matrices_.sum_of_rows(kernels_, taps_, rows, places, state.x_.data());
}

void SampleRnnLoop::take_in(std::size_t id, SampleRnnState& state) const {
  for (const std::size_t at : {state.place_, state.place_ + look_back_}) {
    state.recent_[at] = static_cast<std::uint32_t>(id);
    state.levels_[at] = level_of_[id];
  }
  state.place_ = (state.place_ + 1) % look_back_;
}

}  // namespace synthhost
