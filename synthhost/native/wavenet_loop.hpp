// WaveNet's recurrence (van den Oord et al. 2016), a sample at a time with a ring of past inputs for each
// layer (Paine et al. 2016).
#pragma once

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
  double gain = 1.0;         // on the sound, last
  double start = 0.0;        // what the network hears first: an id, or a value
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
  Floats rows_, stream_, window_, gates_, gated_, head_;  // scratch, see WavenetLoop
  Doubles probabilities_;                                 // scratch
};

// A network ready to run. Shared by any number of voices and threads.
class WavenetLoop {
 public:
  // Throws std::invalid_argument with what does not fit.
  WavenetLoop(const WavenetWeights& weights, const WavenetOutput& output, const Kernels& kernels);

  std::size_t conditions() const { return condition_.inputs(); }
  std::size_t uniforms() const;
  std::size_t normals() const { return output_.distribution == Distribution::kNormal ? 1 : 0; }
  WavenetState new_state() const;

  // Throws std::invalid_argument if a state belongs to another loop.
  void check(const WavenetState& state) const;

  // Makes samples. Nothing is allocated, locked or thrown here.
  //
  // `condition` is [samples, conditions], `uniforms` [samples, uniforms], `normals` [samples, normals], `out`
  // [samples]. `values`, if not null, is [samples] and gets what was drawn: ids, or values before companding,
  // filter and gain are undone.
  void run(const float* condition, const double* uniforms, const float* normals, double temperature,
           WavenetState& state, std::size_t samples, float* out, float* values) const;

  // Lets a voice hear `values` [samples], ids or values, in place of what it would have heard next, under
  // `condition` [samples, conditions]. The last of them is what it then goes on from.
  void hear(const float* condition, const float* values, WavenetState& state, std::size_t samples) const;

 private:
  struct Layer {
    std::size_t ring;      // where its ring begins
    std::size_t length;    // inputs in its ring
    std::size_t dilation;  // in inputs
    PackedMatrix conv, mix;
    Floats residual_bias;
  };

  void pack_layers(const WavenetWeights& weights);
  void pack_heads(const WavenetWeights& weights);
  void check_output() const;
  void lay_out_rows(const float* condition, std::size_t samples, WavenetState& state) const;
  const float* network(const float* row, WavenetState& state) const;
  void enter(WavenetState& state) const;
  void pass(const Layer& layer, std::size_t& place, const float* row, WavenetState& state) const;
  void gather(const Layer& layer, std::size_t& place, WavenetState& state) const;
  double draw(const float* last, const double* uniforms, const float* normals, double temperature,
              WavenetState& state) const;
  double heard_of(double value) const;
  double amplitude_of(double value) const;
  float sound_of(double value, WavenetState& state) const;

  const Kernels& kernels_;
  std::shared_ptr<const char> identity_;
  WavenetOutput output_;
  Gate gate_;
  std::size_t kernel_, residual_, classes_;
  std::size_t gated_ = 0, skip_ = 0, outputs_ = 0;
  std::size_t gate_width_ = 0;    // gates of one layer, each part padded
  std::size_t stream_width_ = 0;  // a layer's input, padded, then the sum of skips, padded
  std::size_t head_width_ = 0;    // the widest output of the head, padded
  std::size_t ring_floats_ = 0;
  float residual_scale_;
  Floats first_;  // [classes or 1, residual], the bias added where an id chooses
  Floats first_bias_;
  std::vector<Layer> layers_;
  PackedMatrix condition_;  // of all layers below each other
  Floats row_;              // the biases of all convolutions, `gate_width_` a layer
  Floats skip_bias_;        // of all layers together
  std::vector<PackedMatrix> heads_;
  std::vector<Floats> head_biases_;
};

}  // namespace synthhost
