// SampleRNN's recurrence (Mehri et al. 2017): tiers of gated recurrent layers at falling rates, and a
// perceptron that draws one id after another (as deepsound-project/samplernn-pytorch has them).
//
// A tier runs at every sample that its span divides, the highest first: bursts that, in the published shape,
// make every 16th sample cost about seven usual ones and every 64th twelve. What a tier says to the one below is
// computed where it is heard, a position at a time, which keeps that work out of them.
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
  Floats x_, gates_, heard_, logits_;   // scratch
  Doubles probabilities_;               // scratch
};

// A network ready to run. Shared by any number of voices and threads.
class SampleRnnLoop {
 public:
  // Throws std::invalid_argument with what does not fit.
  SampleRnnLoop(const SampleRnnWeights& weights, const Kernels& kernels);

  std::size_t conditions() const { return 0; }
  std::size_t uniforms() const { return 1; }
  std::size_t normals() const { return 0; }
  SampleRnnState new_state() const;

  // Throws std::invalid_argument if a state belongs to another loop.
  void check(const SampleRnnState& state) const;

  // Makes samples, `uniforms` [samples] into `out` [samples]. Nothing is allocated, locked or thrown here.
  void run(const double* uniforms, double temperature, SampleRnnState& state, std::size_t samples,
           float* out) const;

 private:
  struct Layer {
    PackedMatrix from_input, from_hidden;
    Floats from_input_bias, from_hidden_bias;  // every gate's padded
    std::size_t hidden;                        // where its state begins
  };
  struct Tier {
    std::size_t span;  // samples a frame
    PackedMatrix input;
    Floats input_bias;
    std::vector<Layer> layers;
    std::vector<PackedMatrix> upsampling;  // of each position
    Floats upsampling_bias;                // `width_` a position
  };

  void pack_tier(const SampleRnnTierWeights& weights);
  void pack_layers(const SampleRnnTierWeights& weights, Tier& tier);
  void pack_perceptron(const SampleRnnWeights& weights);
  void run_tier(std::size_t index, SampleRnnState& state) const;
  void run_layer(const Layer& layer, const float* x, SampleRnnState& state) const;
  void add_above(std::size_t index, std::size_t position, SampleRnnState& state) const;
  std::size_t next_id(double u, double temperature, SampleRnnState& state) const;
  void take_in(std::size_t id, SampleRnnState& state) const;

  const Kernels& kernels_;
  std::shared_ptr<const char> identity_;
  std::size_t dim_, width_;  // channels, and padded
  std::size_t ids_;          // values that a sample can take
  std::size_t look_back_ = 1;
  std::vector<Tier> tiers_;  // the lowest first
  Floats start_;             // hidden states at first
  Floats level_of_;          // of each id, as a tier sees it
  Floats taps_;              // `width_` an id and place
  PackedMatrix hidden_, output_;
  Floats hidden_bias_, output_bias_;
};

}  // namespace synthhost
