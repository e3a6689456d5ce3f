// WaveNet's recurrence (van den Oord et al. 2016), a sample at a time with a ring of past inputs for each
// layer (Paine et al. 2016).
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "packed.hpp"

namespace synthhost {

enum class Gate { kTanhSigmoid, kRectifier };
enum class Distribution { kSoftmax, kLogistics, kNormal };

// How a drawn value becomes sound, and what the network hears first.
struct WavenetOutput {
  Distribution distribution = Distribution::kSoftmax;
  double levels = 0.0;       // ids 0 ... levels stand for -1 ... 1
  double companding = 0.0;   // mu of the mu-law that turns those into amplitudes; 0: none
  double de_emphasis = 0.0;  // pole of the filter that undoes pre-emphasis; 0: none
  double gain = 1.0;         // on the sound
  double start = 0.0;        // what the network hears first: an id, or a value
  double dc_pole = 0.0;      // pole of the filter that takes the mean away, last; 0: none
};

// Weights, row-major and borrowed while the loop is built. Scales are folded in by whoever gives them.
// `gates` is 2 * gated where a tanh (first half) and a sigmoid gate each other, else gated.
struct WavenetWeights {
  Matrix first;                         // [classes or 1, residual]: what an id, or a value, becomes
  std::vector<float> first_bias;        // [residual]
  std::vector<std::size_t> dilations;   // of each layer, in samples
  std::size_t kernel = 2;
  Gate gate = Gate::kTanhSigmoid;
  Matrix convs;                         // [layers * gates, kernel * residual], oldest tap first
  std::vector<float> conv_biases;       // [layers * gates]
  Matrix conditions;                    // [layers * gates, conditions]
  Matrix mixes;                         // [layers * (residual + skip), gated]
  std::vector<float> mix_biases;        // [layers * (residual + skip)]
  float residual_scale = 1.0f;          // on a layer's input, before its output is added
  std::vector<Matrix> heads;            // each behind a rectifier; the last gives the distribution
  std::vector<std::vector<float>> head_biases;
};

// What one voice remembers.
class WavenetState {
 private:
  friend class WavenetLoop;
  std::shared_ptr<const char> owner_;  // the loop whose rings these are
  Floats rings_;                       // every layer's past inputs
  std::vector<std::size_t> places_;    // where each ring's oldest input stands
  double heard_ = 0.0;                 // what the network hears next: an id, or a value
  double emphasised_ = 0.0;            // the last output of the filter that undoes pre-emphasis
  double leaning_ = 0.0, even_ = 0.0;  // the last input and output of the filter that takes the mean away
  Floats rows_;                        // scratch: each layer's gates as far as known, a block of samples
  Floats scaled_, gates_, gated_, head_;  // scratch, see WavenetLoop
  Doubles probabilities_;                 // scratch
};

// One voice's part in a run. `values` may be null.
struct WavenetVoice {
  const float* condition;  // [samples, conditions]
  const double* uniforms;  // [samples, uniforms]
  const float* normals;    // [samples, normals]
  WavenetState* state;
  float* out;              // [samples]
  float* values;           // [samples]: ids, or values before companding, filter and gain are undone
};

// A network ready to run. Shared by any number of voices and threads.
class WavenetLoop {
 public:
  static constexpr std::size_t kTogether = 8;  // voices that one pass over the weights serves

  // Throws std::invalid_argument with what does not fit.
  WavenetLoop(const WavenetWeights& weights, const WavenetOutput& output, const Kernels& kernels,
              Precision precision);

  std::size_t conditions() const { return condition_.inputs; }
  std::size_t uniforms() const;
  std::size_t normals() const { return output_.distribution == Distribution::kNormal ? 1 : 0; }
  std::size_t outputs() const { return outputs_; }
  std::size_t weight_bytes() const { return matrices_.bytes(); }
  WavenetState new_state() const;

  // Throws std::invalid_argument if a state belongs to another loop.
  void check(const WavenetState& state) const;

  // Makes samples of `count` voices. Nothing is allocated, locked or thrown here, and no voice's sound depends
  // on the others or on how the samples are cut.
  void run(const WavenetVoice* voices, std::size_t count, double temperature, std::size_t samples) const;

  // Lets a voice hear `values` [samples], ids or values, in place of what it would have heard next, under
  // `condition` [samples, conditions]. The last of them is what it then goes on from.
  void hear(const float* condition, const float* values, WavenetState& state, std::size_t samples) const;

  // Writes what each sample would be drawn from, `outputs` [samples, outputs()], if those before it had been drawn
  // as `values` [samples], ids or values, tell. The voice goes on as if all of them had been.
  void predict(const float* condition, const float* values, WavenetState& state, std::size_t samples,
               float* outputs) const;

 private:
  static constexpr std::size_t kBlock = 16;  // samples whose conditions and pasts are computed together

  struct Layer {
    std::size_t ring;                // where its ring begins
    std::size_t length;              // inputs in its ring
    std::size_t dilation;            // in inputs
    std::size_t group;               // samples whose past is computed together
    std::vector<PackedPlace> past;  // of all taps but the newest, the oldest first
    PackedPlace newest, residual;
    Floats residual_bias;
  };

  void pack_layers(const WavenetWeights& weights);
  void pack_skips(const WavenetWeights& weights);
  void pack_heads(const WavenetWeights& weights);
  void check_output() const;
  void run_block(const WavenetVoice* voices, std::size_t count, double temperature, std::size_t first,
                 std::size_t samples) const;
  void add_conditions(const WavenetVoice* voices, std::size_t count, std::size_t first, std::size_t samples) const;
  void add_past(std::size_t layer, const WavenetVoice* voices, std::size_t count, std::size_t n,
                std::size_t samples) const;
  void network(const WavenetVoice* voices, std::size_t count, std::size_t n) const;
  void enter(WavenetState& state) const;
  void pass(std::size_t layer, const WavenetVoice* voices, std::size_t count, std::size_t n) const;
  void run_heads(const WavenetVoice* voices, std::size_t count) const;
  float* input_of(std::size_t layer, WavenetState& state) const;
  const float* known_of(std::size_t layer, std::size_t n, const WavenetState& state) const;
  double draw(const double* uniforms, const float* normals, double temperature, WavenetState& state) const;
  double heard_of(double value) const;
  double amplitude_of(double value) const;
  float sound_of(double value, WavenetState& state) const;

  const Kernels& kernels_;
  std::shared_ptr<const char> identity_;
  WavenetOutput output_;
  Gate gate_;
  std::size_t kernel_, residual_, classes_;
  std::size_t gated_ = 0, skip_ = 0, outputs_ = 0;
  std::size_t gate_width_ = 0;  // gates of one layer, each part padded
  std::size_t width_;           // a layer's input, padded
  std::size_t head_width_ = 0;  // the widest output before and of the heads, padded
  std::size_t ring_floats_ = 0;
  float residual_scale_;
  Floats first_;  // [classes or 1, width_], the bias added where an id chooses
  Floats first_bias_;
  PackedMatrices matrices_;
  std::vector<Layer> layers_;
  std::array<std::vector<std::size_t>, kBlock> due_;  // layers whose past is computed at a block's nth sample
  PackedPlace condition_;  // of all layers below each other
  Floats row_;              // the biases of all convolutions, `gate_width_` a layer
  PackedPlace skip_of_all_;  // from all layers' gated channels beside each other
  Floats skip_bias_;          // of all layers together
  std::vector<PackedPlace> heads_;
  std::vector<Floats> head_biases_;
  Doubles amplitudes_;  // of each id
};

}  // namespace synthhost
