#include "wavenet_loop.hpp"

#include <algorithm>
#include <cmath>

#include "companding.hpp"
#include "denormals.hpp"
#include "draw.hpp"

namespace synthhost {

namespace {

// The nearest of 0 ... highest to a value that may be anything.
double within(double value, double highest) {
  return !(value > 0.0) ? 0.0 : value > highest ? highest : value;
}

}  // namespace

WavenetLoop::WavenetLoop(const WavenetWeights& weights, const WavenetOutput& output, const Kernels& kernels,
                         Precision precision)
    : kernels_(kernels),
      identity_(std::make_shared<const char>('w')),
      output_(output),
      gate_(weights.gate),
      kernel_(at_least_one("the kernel", weights.kernel)),
      residual_(at_least_one("the number of residual channels", weights.first.columns)),
      classes_(at_least_one("the number of inputs", weights.first.rows)),
      width_(padded(residual_)),
      residual_scale_(weights.residual_scale),
      matrices_(precision) {
  expect("the length of the first bias", weights.first_bias.size(), residual_);
  append_padded(first_, weights.first.values, classes_, residual_);
  append_padded(first_bias_, weights.first_bias.data(), 1, residual_);
  if (classes_ > 1) {
    for (std::size_t n = 0; n < first_.size(); ++n) first_[n] += first_bias_[n % width_];
  }
  pack_layers(weights);
  pack_skips(weights);
  pack_heads(weights);
  check_output();
  if (output_.distribution != Distribution::kSoftmax) return;
  for (std::size_t id = 0; id < outputs_; ++id) amplitudes_.push_back(amplitude_of(static_cast<double>(id)));
}

void WavenetLoop::pack_layers(const WavenetWeights& weights) {
  const std::size_t layers = at_least_one("the number of layers", weights.dilations.size());
  const std::size_t parts = gate_ == Gate::kTanhSigmoid ? 2 : 1;
  gated_ = at_least_one("the number of gated channels", weights.mixes.columns);
  const std::size_t mixed = weights.mixes.rows / layers, gates = parts * gated_;
  if (mixed <= residual_) throw std::invalid_argument("the layers' outputs leave no channels to be skipped.");
  skip_ = mixed - residual_;
  gate_width_ = parts * padded(gated_);
  expect("the number of the convolutions' rows", weights.convs.rows, layers * gates);
  expect("the number of the convolutions' columns", weights.convs.columns, kernel_ * residual_);
  expect("the number of the convolutions' biases", weights.conv_biases.size(), layers * gates);
  expect("the number of the mixes' rows", weights.mixes.rows, layers * mixed);
  expect("the number of the mixes' biases", weights.mix_biases.size(), layers * mixed);
  append_padded(row_, weights.conv_biases.data(), layers * parts, gated_);
  const std::vector<std::size_t> gate_parts(parts, gated_);
  for (std::size_t n = 0; n < layers; ++n) {
    const std::size_t dilation = at_least_one("a dilation", weights.dilations[n]);
    Layer layer{ring_floats_, std::max<std::size_t>((kernel_ - 1) * dilation, 1), dilation,
                std::min(dilation, kBlock), {}, {}, {}, {}};
    const Matrix conv = weights.convs.part(n * gates, gates);
    for (std::size_t tap = 0; tap < kernel_; ++tap) {
      const std::vector<float> columns = conv.columns_of(tap * residual_, residual_);
      const PackedPlace packed = matrices_.add({columns.data(), gates, residual_}, gate_parts);
      if (tap + 1 < kernel_) layer.past.push_back(packed);
      else layer.newest = packed;
    }
    layer.residual = matrices_.add(weights.mixes.part(n * mixed, residual_));
    append_padded(layer.residual_bias, weights.mix_biases.data() + n * mixed, 1, residual_);
    ring_floats_ += layer.length * width_;
    for (std::size_t place = 0; kernel_ > 1 && place < kBlock; place += layer.group) due_[place].push_back(n);
    layers_.push_back(std::move(layer));
  }
  if (weights.conditions.columns > 0) {
    condition_ = matrices_.add(weights.conditions, std::vector(layers * parts, gated_));
  }
}

// Puts what all layers skip into one matrix, so that it is summed once a sample.
void WavenetLoop::pack_skips(const WavenetWeights& weights) {
  const std::size_t layers = layers_.size(), mixed = residual_ + skip_;
  std::vector<float> beside(skip_ * layers * gated_);
  std::vector<float> bias(skip_, 0.0f);
  for (std::size_t n = 0; n < layers; ++n) {
    for (std::size_t s = 0; s < skip_; ++s) {
      const std::size_t row = n * mixed + residual_ + s;
      std::copy_n(weights.mixes.values + row * gated_, gated_, beside.data() + (s * layers + n) * gated_);
      bias[s] += weights.mix_biases[row];
    }
  }
  skip_of_all_ = matrices_.add({beside.data(), skip_, layers * gated_});
  append_padded(skip_bias_, bias.data(), 1, skip_);
  head_width_ = padded(skip_);
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
    heads_.push_back(matrices_.add(head));
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
  if (!(output_.dc_pole >= 0.0 && output_.dc_pole < 1.0)) {
    throw std::invalid_argument("the pole of what takes the mean away must lie from 0 to below 1.");
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
  state.rows_.assign(conditions() || kernel_ > 1 ? kBlock * row_.size() : 0, 0.0f);
  state.scaled_.assign(width_, 0.0f);
  state.gates_.assign(gate_width_, 0.0f);
  state.gated_.assign(padded(layers_.size() * gated_) + kQuarterPanel, 0.0f);
  state.head_.assign(2 * head_width_, 0.0f);
  state.probabilities_.assign(outputs_ + padded(outputs_) / kQuarterPanel, 0.0);
  return state;
}

void WavenetLoop::check(const WavenetState& state) const {
  if (state.owner_ != identity_) {
    throw std::invalid_argument("the state belongs to another network; take one from this loop's new_state().");
  }
}

void WavenetLoop::run(const WavenetVoice* voices, std::size_t count, double temperature,
                      std::size_t samples) const {
  const FlushDenormals flushing;
  for (std::size_t voice = 0; voice < count; voice += kTogether) {
    const std::size_t together = std::min(kTogether, count - voice);
    for (std::size_t first = 0; first < samples; first += kBlock) {
      run_block(voices + voice, together, temperature, first, std::min(kBlock, samples - first));
    }
  }
}

void WavenetLoop::run_block(const WavenetVoice* voices, std::size_t count, double temperature, std::size_t first,
                            std::size_t samples) const {
  add_conditions(voices, count, first, samples);
  for (std::size_t n = 0; n < samples; ++n) {
    for (const std::size_t layer : due_[n]) add_past(layer, voices, count, n, samples);
    network(voices, count, n);
    for (std::size_t v = 0; v < count; ++v) {
      const WavenetVoice& voice = voices[v];
      const std::size_t at = first + n;
      const double value = draw(voice.uniforms + at * uniforms(), voice.normals + at * normals(), temperature,
                                *voice.state);
      if (voice.values) voice.values[at] = static_cast<float>(value);
      voice.out[at] = sound_of(value, *voice.state);
      voice.state->heard_ = heard_of(value);
    }
  }
}

void WavenetLoop::hear(const float* condition, const float* values, WavenetState& state,
                       std::size_t samples) const {
  const FlushDenormals flushing;
  const WavenetVoice voice{condition, nullptr, nullptr, &state, nullptr, nullptr};
  for (std::size_t n = 0; n < samples; ++n) {
    const std::size_t place = n % kBlock, block = std::min(kBlock, samples - 1 - (n - place));
    state.heard_ = classes_ > 1 ? within(values[n], classes_ - 1.0) : static_cast<double>(values[n]);
    if (n + 1 == samples) break;
    if (place == 0) add_conditions(&voice, 1, n, block);
    for (const std::size_t layer : due_[place]) add_past(layer, &voice, 1, place, block);
    network(&voice, 1, place);
  }
}

void WavenetLoop::predict(const float* condition, const float* values, WavenetState& state, std::size_t samples,
                          float* outputs) const {
  const FlushDenormals flushing;
  const WavenetVoice voice{condition, nullptr, nullptr, &state, nullptr, nullptr};
  for (std::size_t n = 0; n < samples; ++n) {
    const std::size_t place = n % kBlock, block = std::min(kBlock, samples - (n - place));
    if (place == 0) add_conditions(&voice, 1, n, block);
    for (const std::size_t layer : due_[place]) add_past(layer, &voice, 1, place, block);
    network(&voice, 1, place);
    std::copy_n(state.head_.data(), outputs_, outputs + n * outputs_);
    const double value = values[n];
    state.heard_ = heard_of(amplitudes_.empty() ? value : within(value, static_cast<double>(outputs_) - 1.0));
  }
}

// Begins a block's gates with what conditions them.
void WavenetLoop::add_conditions(const WavenetVoice* voices, std::size_t count, std::size_t first,
                                 std::size_t samples) const {
  if (!conditions()) return;
  Rows<kTogether * kBlock> rows;
  for (std::size_t v = 0; v < count; ++v) {
    for (std::size_t n = 0; n < samples; ++n) {
      float* gates = voices[v].state->rows_.data() + n * row_.size();
      rows.add(voices[v].condition + (first + n) * conditions(), row_.data(), gates);
    }
  }
  matrices_.product(kernels_, condition_, rows);
}

// Adds what a layer's past inputs give to its gates, of as many samples ahead as its dilation reaches over.
void WavenetLoop::add_past(std::size_t index, const WavenetVoice* voices, std::size_t count, std::size_t n,
                           std::size_t samples) const {
  const Layer& layer = layers_[index];
  const std::size_t last = std::min(n + layer.group, samples);
  for (std::size_t tap = 0; tap + 1 < kernel_; ++tap) {
    Rows<kTogether * kBlock> rows;
    for (std::size_t v = 0; v < count; ++v) {
      WavenetState& state = *voices[v].state;
      std::size_t at = state.places_[index] + tap * layer.dilation;
      for (std::size_t m = n; m < last; ++m, ++at) {
        if (at >= layer.length) at -= layer.length;
        float* gates = state.rows_.data() + m * row_.size() + index * gate_width_;
        const float* begun = tap || conditions() ? gates : row_.data() + index * gate_width_;
        rows.add(state.rings_.data() + layer.ring + at * width_, begun, gates);
      }
    }
    matrices_.product(kernels_, layer.past[tap], rows);
  }
}

// Runs all layers once; what the distributions are made of is in each `head_`, see run_heads.
void WavenetLoop::network(const WavenetVoice* voices, std::size_t count, std::size_t n) const {
  for (std::size_t v = 0; v < count; ++v) enter(*voices[v].state);
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) pass(layer, voices, count, n);
  Rows<kTogether> rows;
  for (std::size_t v = 0; v < count; ++v) {
    WavenetState& state = *voices[v].state;
    rows.add(state.gated_.data(), skip_bias_.data(), state.head_.data() + head_width_);
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
      if (++state.places_[layer] == layers_[layer].length) state.places_[layer] = 0;
    }
  }
  matrices_.product(kernels_, skip_of_all_, rows);
  run_heads(voices, count);
}

void WavenetLoop::run_heads(const WavenetVoice* voices, std::size_t count) const {
  for (std::size_t n = 0; n < heads_.size(); ++n) {
    Rows<kTogether> rows;
    for (std::size_t v = 0; v < count; ++v) {
      float* to = voices[v].state->head_.data();
      float* from = to + head_width_;
      if (n) std::copy_n(to, padded(heads_[n].inputs), from);
      kernels_.rectify(from, from, heads_[n].inputs);
      rows.add(from, head_biases_[n].data(), to);
    }
    matrices_.product(kernels_, heads_[n], rows);
  }
}

float* WavenetLoop::input_of(std::size_t layer, WavenetState& state) const {
  return state.rings_.data() + layers_[layer].ring + state.places_[layer] * width_;
}

// What is known of a layer's gates before its newest input.
const float* WavenetLoop::known_of(std::size_t layer, std::size_t n, const WavenetState& state) const {
  const Floats& rows = state.rows_;
  return (rows.empty() ? row_.data() : rows.data() + n * row_.size()) + layer * gate_width_;
}

// Puts what was heard where the first layer's newest input stands.
void WavenetLoop::enter(WavenetState& state) const {
  float* input = input_of(0, state);
  if (classes_ > 1) {
    std::copy_n(first_.data() + static_cast<std::size_t>(state.heard_) * width_, width_, input);
  } else {
    kernels_.scale(static_cast<float>(state.heard_), first_.data(), first_bias_.data(), input, width_);
  }
}

// Takes a stream through one layer: what it gives stands where the next one's newest input is.
void WavenetLoop::pass(std::size_t index, const WavenetVoice* voices, std::size_t count, std::size_t n) const {
  const Layer& layer = layers_[index];
  const bool goes_on = index + 1 < layers_.size();
  Rows<kTogether> gates, inputs;
  for (std::size_t v = 0; v < count; ++v) {
    WavenetState& state = *voices[v].state;
    const float* input = input_of(index, state);
    gates.add(input, known_of(index, n, state), state.gates_.data());
    if (!goes_on) continue;
    kernels_.scale(residual_scale_, input, layer.residual_bias.data(), state.scaled_.data(), width_);
    inputs.add(state.gated_.data() + index * gated_, state.scaled_.data(), input_of(index + 1, state));
  }
  matrices_.product(kernels_, layer.newest, gates);
  for (std::size_t v = 0; v < count; ++v) {
    const float* from = gates.y[v];
    float* gated = voices[v].state->gated_.data() + index * gated_;
    if (gate_ == Gate::kTanhSigmoid) {
      kernels_.gate(from, from + padded(gated_), gated, padded(gated_));
    } else {
      kernels_.rectify(from, gated, gated_);
    }
  }
  if (goes_on) matrices_.product(kernels_, layer.residual, inputs);
}

double WavenetLoop::draw(const double* uniforms, const float* normals, double temperature,
                         WavenetState& state) const {
  const float* last = state.head_.data();
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
  if (classes_ > 1 || amplitudes_.empty()) return value;
  return amplitudes_[static_cast<std::size_t>(value)];
}

double WavenetLoop::amplitude_of(double value) const {
  const double level =
      output_.distribution == Distribution::kSoftmax ? 2.0 * value / output_.levels - 1.0 : value;
  return expanded(level, output_.companding);
}

float WavenetLoop::sound_of(double value, WavenetState& state) const {
  const double amplitude = amplitudes_.empty() ? amplitude_of(value) : amplitudes_[static_cast<std::size_t>(value)];
  state.emphasised_ = amplitude + output_.de_emphasis * state.emphasised_;
  const double sound = state.emphasised_ * output_.gain;
  if (output_.dc_pole == 0.0) return static_cast<float>(sound);
  state.even_ = sound - state.leaning_ + output_.dc_pole * state.even_;
  state.leaning_ = sound;
  return static_cast<float>(state.even_);
}

}  // namespace synthhost
