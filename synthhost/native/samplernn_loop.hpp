// SampleRNN's recurrence (Mehri et al. 2017): tiers of gated recurrent layers at falling rates, and a
// perceptron that draws one id after another (as deepsound-project/samplernn-pytorch has them).
//
// A tier runs at every sample that its span divides, the highest first: bursts that, in the published shape,
// make every 16th sample cost about seven usual ones and every 64th twelve. What a tier says to the one below is
// computed a position at a time, one ahead of where it is heard, which keeps that work out of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "packed.hpp"

namespace synthhost {

// One recurrent tier's weights, row-major and borrowed while the loop is built. Gates are r, z, n.
struct SampleRnnTierWeights {
  Matrix input;                            // [dim, span]: from levels -2 ... 2 of the latest samples
  std::vector<float> input_bias;           // [dim]
  Matrix from_input, from_hidden;          // [layers * 3 * dim, dim]
  std::vector<float> from_input_bias;      // [layers * 3 * dim]
  std::vector<float> from_hidden_bias;     // [layers * 3 * dim]
  std::vector<float> start;                // [layers * dim]: the hidden states at first
  Matrix upsampling;                       // [frame_size * dim, dim]: for each position in a frame
  std::vector<float> upsampling_bias;      // [frame_size * dim]
};

struct SampleRnnWeights {
  std::vector<SampleRnnTierWeights> tiers;  // the lowest first
  Matrix taps;                              // [frame_size * levels, dim]: what an id adds, oldest place first
  Matrix hidden;                            // [dim, dim], behind a rectifier
  std::vector<float> hidden_bias;           // [dim]
  Matrix output;                            // [levels, dim], behind a rectifier
  std::vector<float> output_bias;           // [levels]
  double companding = 0.0;                  // mu of the mu-law that turns levels into amplitudes; 0: none
};

// What one voice remembers.
class SampleRnnState {
 private:
  friend class SampleRnnLoop;
  std::shared_ptr<const char> owner_;   // the loop whose hidden states these are
  std::size_t place_ = 0;               // of the next sample in the highest tier's frame
  std::vector<std::uint32_t> recent_;   // the latest ids, twice, so that they always lie side by side
  Floats levels_;                       // the same as a tier sees them
  Floats hidden_;                       // of every tier and layer, each padded
  Floats said_;                         // what the lowest tier says at the next sample, unless its frame begins
  Floats x_, gates_, heard_, logits_;   // scratch
  Doubles probabilities_;               // scratch
};

// One voice's part in a run.
struct SampleRnnVoice {
  const double* uniforms;  // [samples]
  SampleRnnState* state;
  float* out;              // [samples]
  float* values;           // [samples]: ids; or null
};

// A network ready to run. Shared by any number of voices and threads.
class SampleRnnLoop {
 public:
  static constexpr std::size_t kTogether = 8;  // voices that one pass over the weights serves

  // Throws std::invalid_argument with what does not fit.
  SampleRnnLoop(const SampleRnnWeights& weights, const Kernels& kernels, Precision precision);

  std::size_t conditions() const { return 0; }
  std::size_t uniforms() const { return 1; }
  std::size_t normals() const { return 0; }
  std::size_t outputs() const { return ids_; }
  std::size_t weight_bytes() const { return matrices_.bytes(); }
  SampleRnnState new_state() const;

  // Throws std::invalid_argument if a state belongs to another loop.
  void check(const SampleRnnState& state) const;

  // Throws std::invalid_argument if voices do not stand at the same place in the highest tier's frame.
  void check_in_step(const SampleRnnState& state, const SampleRnnState& other) const;

  // Makes samples of `count` voices in step. Nothing is allocated, locked or thrown here, and no voice's sound
  // depends on the others or on how the samples are cut.
  void run(const SampleRnnVoice* voices, std::size_t count, double temperature, std::size_t samples) const;

  // Writes the logits of each sample, `outputs` [samples, outputs()], if those before it had been the ids `values`
  // [samples] tell. The voice goes on as if all of them had been.
  void predict(const float* values, SampleRnnState& state, std::size_t samples, float* outputs) const;

 private:
  struct Layer {
    PackedPlace from_input, from_hidden;
    Floats from_input_bias, from_hidden_bias;  // every gate's padded
    std::size_t hidden;                        // where its state begins
  };
  struct Tier {
    std::size_t span;  // samples a frame
    PackedPlace input;
    Floats input_bias;
    std::vector<Layer> layers;
    std::vector<PackedPlace> upsampling;  // of each position
    Floats upsampling_bias;                // `width_` a position
  };

  void pack_tier(const SampleRnnTierWeights& weights);
  void pack_layers(const SampleRnnTierWeights& weights, Tier& tier);
  void pack_perceptron(const SampleRnnWeights& weights);
  void run_tiers(const SampleRnnVoice* voices, std::size_t count) const;
  void run_tier(std::size_t index, const SampleRnnVoice* voices, std::size_t count) const;
  void run_layer(const Layer& layer, std::size_t below, const SampleRnnVoice* voices, std::size_t count) const;
  void mix_gates(const Layer& layer, SampleRnnState& state) const;
  void add_above(std::size_t index, const SampleRnnVoice* voices, std::size_t count, std::size_t position) const;
  Rows<kTogether> said_at(std::size_t at, const SampleRnnVoice* voices, std::size_t count) const;
  void run_perceptron(const SampleRnnVoice* voices, std::size_t count) const;
  void add_ids(SampleRnnState& state) const;
  void take_in(std::size_t id, SampleRnnState& state) const;

  const Kernels& kernels_;
  std::shared_ptr<const char> identity_;
  std::size_t dim_, width_;  // channels, and padded
  std::size_t ids_;          // values that a sample can take
  std::size_t look_back_ = 1;
  PackedMatrices matrices_;
  std::vector<Tier> tiers_;  // the lowest first
  Floats start_;             // hidden states at first
  Floats level_of_;          // of each id, as a tier sees it
  Floats amplitude_of_;      // of each id, as it sounds
  PackedPlace taps_;        // a row for every place and id
  PackedPlace hidden_, output_;
  Floats hidden_bias_, output_bias_;
};

}  // namespace synthhost
