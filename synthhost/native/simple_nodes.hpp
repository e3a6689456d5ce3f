// The nodes between convolutions: sums, functions of one value, gates, and changes of rate and layout.
#pragma once

#include <memory>
#include <vector>

#include "plan.hpp"

namespace synthhost {

// A part of a stream that a sum takes: channels from `first` on, times `weight`.
struct Term {
  int stream = kNone;
  float weight = 1.0f;
  std::size_t first = 0;
};

// The sum of terms. `active` takes max(y, slope * y).
std::unique_ptr<Node> make_mix(const Plan& plan, const std::vector<Term>& terms, int raw, int active, float slope);

// y = tanh(x).
std::unique_ptr<Node> make_tanh(const Plan& plan, int input, int output);

// y = x within lowest ... highest.
std::unique_ptr<Node> make_clamp(const Plan& plan, int input, int output, float lowest, float highest);

// y = x * weight + bias, one of each for every channel.
std::unique_ptr<Node> make_affine(const Plan& plan, int input, int output, std::vector<float> weight,
                                  std::vector<float> bias);

// y = x where it is positive, else slope * x; any slope.
std::unique_ptr<Node> make_leaky(const Plan& plan, int input, int output, float slope);

// y = tanh(a) * sigmoid(b), the halves of a stream; `tanh_first`: a is the first one.
std::unique_ptr<Node> make_gate(const Plan& plan, int input, int output, bool tanh_first);

// y = shift + scale * x; `film` holds all shifts, then all scales. `active` takes max(y, slope * y).
std::unique_ptr<Node> make_modulate(const Plan& plan, int input, int film, int raw, int active, float slope);

// The channels of all streams, in order.
std::unique_ptr<Node> make_concat(const Plan& plan, const std::vector<int>& inputs, int output);

// The same stream in another layout; `active` takes max(y, slope * y).
std::unique_ptr<Node> make_transpose(const Plan& plan, int input, int raw, int active, float slope);

// Every moment `factor` times.
std::unique_ptr<Node> make_repeat(int input, int output, Count factor);

// Of every `factor` moments the mean of those at `first` and `second`.
std::unique_ptr<Node> make_decimate(int input, int output, Count factor, Count first, Count second);

// `factor` moments on the line between each two, corners not aligned, level at the edges.
std::unique_ptr<Node> make_interpolate(int input, int output, Count factor);

// The first moment `count` times more before it.
std::unique_ptr<Node> make_lead(int input, int output, Count count);

// `count` moments of one value after the last.
std::unique_ptr<Node> make_extend(int input, int output, Count count, float value);

// As much of a stream as belongs to the n moments of another, once that is closed: n * rate + offset.
std::unique_ptr<Node> make_crop(int input, int pace, int output, Count rate, Count offset);

// A transposed convolution of every channel by itself and its neighbours, alike for all: weights
// [neighbours, taps], one bias; numbers as make_transposed has them, `stride` 1 being a convolution.
std::unique_ptr<Node> make_band_transposed(const Plan& plan, int input, int output, const std::vector<float>& weights,
                                           std::size_t neighbours, float bias, Count stride, Count padding,
                                           Count longer);

// A linear map of each moment by the rows of its position: weights [positions, outputs, inputs].
std::unique_ptr<Node> make_positions(const Plan& plan, int input, int output, std::vector<float> weights,
                                     std::vector<float> biases, std::size_t positions);

// What oscillators are told once: `hop` samples a frame, at a rate in Hz.
struct OscillatorShape {
  double sample_rate = 0.0;
  Count hop = 0;
  std::size_t harmonics = 0;
};

// Harmonics and noise bands that follow frames: noise [bands, samples], of which `lengths` repeat, `middles` in Hz.
std::unique_ptr<Node> make_oscillators(const Plan& plan, int input, int output, OscillatorShape shape,
                                       std::vector<float> noise, std::vector<Count> lengths,
                                       std::vector<float> middles);

// Pitches, octaves above 1 Hz, into the frames that oscillators follow: where cycles stand goes on and on.
std::unique_ptr<Node> make_turns(const Plan& plan, int input, int output, OscillatorShape shape, float lowest_hz,
                                 float highest_hz);

// Scores of places that lie evenly, from `first` on, into the mean place around the highest.
std::unique_ptr<Node> make_centroid(const Plan& plan, int input, int output, double first, double apart, Count reach);

// Rows of `hop` samples of one channel, and the first `hop` channels of rows as samples.
std::unique_ptr<Node> make_stack(const Plan& plan, int input, int output, Count hop);
std::unique_ptr<Node> make_unstack(const Plan& plan, int input, int output, Count hop);

// How sound is brought near to mel frames: `bank` [bands, bins], `between` [bins, bands], `windows` [reach + 1, size]
// of 2 * (bins - 1) samples, what each is `lacking` in nats, and a `fade` of hop / 2 samples behind what has sounded.
struct MelFitShape {
  Count hop = 0;
  float floor = 0.0f;
  std::size_t rounds = 0;
  std::size_t bins = 0;
  std::vector<float> bank, between, windows, lacking, fade;
};

// Rows of a frame's bands and a hop of sound into rows of sound.
std::unique_ptr<Node> make_mel_fit(const Plan& plan, int input, int output, MelFitShape shape);

// Noise of one channel beside a stream, from row `row` of what a run is given.
std::unique_ptr<Node> make_noise(int pace, int output, std::size_t row);

}  // namespace synthhost
