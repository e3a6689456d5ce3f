// The extension module of the plan executor: builds plans from numpy arrays and runs them.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <tuple>

#include "arrays.hpp"
#include "conv_nodes.hpp"
#include "processor.hpp"
#include "simple_nodes.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace synthhost {

namespace {

using Frames = Array<const float, 2>;
using Noise = Array<const float, 2>;
using Out = Array<float, 2>;

Edge edge_named(const std::string& name) {
  if (name == "zeros") return Edge::kZeros;
  if (name == "reflect") return Edge::kReflect;
  if (name == "replicate") return Edge::kReplicate;
  throw std::invalid_argument("an edge is 'zeros', 'reflect' or 'replicate', not '" + name + "'.");
}

ConvWeights conv_weights(const Weights3& weight, const Weights1& bias, bool transposed, std::size_t layers) {
  ConvWeights made{weight.data(), bias.data(), weight.shape(0), weight.shape(1), weight.shape(2), layers};
  if (transposed) std::swap(made.outputs, made.inputs);
  expect("the number of a convolution's biases", bias.size(), made.outputs);
  return made;
}

// One voice's part of a run, checked against its plan.
Feed feed_of(PlanState& state, const Frames& frames, const Noise& noise, const std::vector<Count>& noise_first,
             bool ending, Out& out) {
  const Plan& plan = state.plan();
  if (frames.shape(0) > 0) expect("the number of channels given", frames.shape(1), plan.channels());
  expect("the number of channels to write", out.shape(1), plan.output_channels());
  expect("the number of noises' starts", noise_first.size(), noise.shape(0));
  Feed feed;
  feed.state = &state;
  feed.frames = frames.data();
  feed.count = frames.shape(0);
  feed.ending = ending;
  feed.noise = noise.data();
  feed.noise_count = noise.shape(1);
  feed.noise_rows = noise.shape(0);
  feed.noise_first = noise_first.data();
  feed.out = out.data();
  feed.room = out.shape(0);
  return feed;
}

using Share = std::tuple<PlanState*, Frames, Noise, std::vector<Count>, Out>;

std::vector<std::size_t> run(std::vector<Share> shares, bool ending, std::size_t threads) {
  std::vector<Feed> feeds;
  for (auto& [state, frames, noise, noise_first, out] : shares) {
    if (&state->plan() != &std::get<0>(shares.front())->plan()) {
      throw std::invalid_argument("states of different plans cannot run together.");
    }
    feeds.push_back(feed_of(*state, frames, noise, noise_first, ending, out));
  }
  if (feeds.empty()) return {};
  {
    const nb::gil_scoped_release released;
    feeds.front().state->plan().run(feeds, threads);
  }
  std::vector<std::size_t> written;
  for (const Feed& feed : feeds) written.push_back(feed.written);
  return written;
}

std::vector<float> values(const Weights1& array) { return floats_of(array); }

}  // namespace

NB_MODULE(_plan, module) {
  nb::set_leak_warnings(false);  // a host ends with its voices still in their tracks
  module.doc() = "The executor of streaming networks.";

  nb::class_<PlanState>(module, "PlanState")
      .def("copy", &PlanState::copy)
      .def_prop_ro("taken", [](const PlanState& state) { return state.cursor(0).end; });

  nb::class_<Plan>(module, "Plan")
      .def(nb::new_([](std::size_t channels, const std::string& level, const std::string& int8_way) {
             return std::make_shared<Plan>(channels, processor_level_named(level), int8_way);
           }),
           "channels"_a, "level"_a = "", "int8_way"_a = "")
      .def(
          "stream",
          [](Plan& plan, std::size_t channels, bool channel_major, const std::string& edge) {
            const int made = plan.add_stream(at_least_one("the number of channels", channels),
                                             channel_major ? Layout::kChannelMajor : Layout::kTimeMajor);
            plan.set_edge(made, edge_named(edge));
            return made;
          },
          "channels"_a, "channel_major"_a = false, "edge"_a = "zeros")
      .def("set_edge", [](Plan& plan, int stream, const std::string& edge) { plan.set_edge(stream, edge_named(edge)); })
      .def(
          "conv",
          [](Plan& plan, int input, const Weights3& weight, const Weights1& bias, std::size_t dilation, Count left,
             Count right, int first, int second, float scale, int raw, int active, float slope, std::size_t layers) {
            plan.add_node(make_conv(plan, input, conv_weights(weight, bias, false, layers), dilation, left, right,
                                    {first, second, scale, raw, active, slope}));
          },
          "input"_a, "weight"_a, "bias"_a, "dilation"_a, "left"_a, "right"_a, "first"_a = kNone, "second"_a = kNone,
          "scale"_a = 1.0f, "raw"_a = kNone, "active"_a = kNone, "slope"_a = 0.0f, "layers"_a = 0)
      .def(
          "transposed",
          [](Plan& plan, int input, const Weights3& weight, const Weights1& bias, Count stride, Count padding,
             Count longer, float scale, int raw, int active, float slope, std::size_t layers) {
            plan.add_node(make_transposed(plan, input, conv_weights(weight, bias, true, layers), stride, padding,
                                          longer, {kNone, kNone, scale, raw, active, slope}));
          },
          "input"_a, "weight"_a, "bias"_a, "stride"_a, "padding"_a, "longer"_a, "scale"_a = 1.0f, "raw"_a = kNone,
          "active"_a = kNone, "slope"_a = 0.0f, "layers"_a = 0)
      .def("quantise", [](Plan& plan, int x, int y, std::size_t layers) {
        plan.add_node(make_quantise(plan, x, y, layers));
      })
      .def(
          "mix",
          [](Plan& plan, const std::vector<std::tuple<int, float, std::size_t>>& terms, int raw, int active,
             float slope) {
            std::vector<Term> made;
            for (const auto& [stream, weight, first] : terms) made.push_back({stream, weight, first});
            plan.add_node(make_mix(plan, made, raw, active, slope));
          },
          "terms"_a, "raw"_a = kNone, "active"_a = kNone, "slope"_a = 0.0f)
      .def("tanh", [](Plan& plan, int x, int y) { plan.add_node(make_tanh(plan, x, y)); })
      .def("clamp", [](Plan& plan, int x, int y, float low, float high) {
        plan.add_node(make_clamp(plan, x, y, low, high));
      })
      .def("leaky", [](Plan& plan, int x, int y, float slope) { plan.add_node(make_leaky(plan, x, y, slope)); })
      .def("affine", [](Plan& plan, int x, int y, const Weights1& weight, const Weights1& bias) {
        plan.add_node(make_affine(plan, x, y, values(weight), values(bias)));
      })
      .def("gate", [](Plan& plan, int x, int y, bool tanh_first) { plan.add_node(make_gate(plan, x, y, tanh_first)); })
      .def(
          "modulate",
          [](Plan& plan, int x, int film, int raw, int active, float slope) {
            plan.add_node(make_modulate(plan, x, film, raw, active, slope));
          },
          "input"_a, "film"_a, "raw"_a = kNone, "active"_a = kNone, "slope"_a = 0.0f)
      .def("concat",
           [](Plan& plan, const std::vector<int>& inputs, int y) { plan.add_node(make_concat(plan, inputs, y)); })
      .def(
          "transpose",
          [](Plan& plan, int x, int raw, int active, float slope) {
            plan.add_node(make_transpose(plan, x, raw, active, slope));
          },
          "input"_a, "raw"_a = kNone, "active"_a = kNone, "slope"_a = 0.0f)
      .def("repeat", [](Plan& plan, int x, int y, Count factor) { plan.add_node(make_repeat(x, y, factor)); })
      .def("decimate", [](Plan& plan, int x, int y, Count factor, Count first, Count second) {
        plan.add_node(make_decimate(x, y, factor, first, second));
      })
      .def("interpolate", [](Plan& plan, int x, int y, Count factor) { plan.add_node(make_interpolate(x, y, factor)); })
      .def("lead", [](Plan& plan, int x, int y, Count count) { plan.add_node(make_lead(x, y, count)); })
      .def("extend", [](Plan& plan, int x, int y, Count count, float value) {
        plan.add_node(make_extend(x, y, count, value));
      })
      .def("crop", [](Plan& plan, int x, int pace, int y, Count rate, Count offset) {
        plan.add_node(make_crop(x, pace, y, rate, offset));
      })
      .def("band_transposed",
           [](Plan& plan, int x, int y, const Weights2& weight, float bias, Count stride, Count padding, Count longer) {
             plan.add_node(
                 make_band_transposed(plan, x, y, floats_of(weight), weight.shape(0), bias, stride, padding, longer));
           })
      .def("positions",
           [](Plan& plan, int x, int y, const Weights3& weight, const Weights2& bias) {
             const std::vector<float> weights(weight.data(), weight.data() + weight.size());
             plan.add_node(make_positions(plan, x, y, weights, floats_of(bias), weight.shape(0)));
           })
      .def(
          "oscillators",
          [](Plan& plan, int x, int y, double sample_rate, Count hop, std::size_t harmonics, const Weights2& noise,
             const std::vector<Count>& lengths, const std::vector<float>& middles) {
            plan.add_node(
                make_oscillators(plan, x, y, {sample_rate, hop, harmonics}, floats_of(noise), lengths, middles));
          },
          "input"_a, "output"_a, "sample_rate"_a, "hop"_a, "harmonics"_a, "noise"_a, "lengths"_a, "middles"_a)
      .def(
          "turns",
          [](Plan& plan, int x, int y, double sample_rate, Count hop, float lowest_hz, float highest_hz) {
            plan.add_node(make_turns(plan, x, y, {sample_rate, hop, 0}, lowest_hz, highest_hz));
          },
          "input"_a, "output"_a, "sample_rate"_a, "hop"_a, "lowest_hz"_a, "highest_hz"_a)
      .def(
          "centroid",
          [](Plan& plan, int x, int y, double first, double apart, Count reach) {
            plan.add_node(make_centroid(plan, x, y, first, apart, reach));
          },
          "input"_a, "output"_a, "first"_a, "apart"_a, "reach"_a)
      .def(
          "stack", [](Plan& plan, int x, int y, Count hop) { plan.add_node(make_stack(plan, x, y, hop)); },
          "input"_a, "output"_a, "hop"_a)
      .def(
          "unstack", [](Plan& plan, int x, int y, Count hop) { plan.add_node(make_unstack(plan, x, y, hop)); },
          "input"_a, "output"_a, "hop"_a)
      .def(
          "mel_fit",
          [](Plan& plan, int x, int y, Count hop, float floor, std::size_t rounds, const Weights2& bank,
             const Weights2& between, const Weights2& windows, const Weights1& lacking, const Weights1& fade) {
            MelFitShape shape{hop, floor, rounds, bank.shape(1), floats_of(bank), floats_of(between),
                              floats_of(windows), values(lacking), values(fade)};
            plan.add_node(make_mel_fit(plan, x, y, std::move(shape)));
          },
          "input"_a, "output"_a, "hop"_a, "floor"_a, "rounds"_a, "bank"_a, "between"_a, "windows"_a, "lacking"_a,
          "fade"_a)
      .def("noise", [](Plan& plan, int pace, int y, std::size_t row) { plan.add_node(make_noise(pace, y, row)); })
      .def("floats_for", &Plan::floats_for, "output"_a, "frames"_a)
      .def("seal", &Plan::seal, "output"_a, "frames"_a)
      .def("ends", &Plan::ends, "frames"_a, "closed"_a)
      .def_prop_ro("output_channels", &Plan::output_channels)
      .def_prop_ro("state_floats", &Plan::state_floats)
      .def("new_state", [](std::shared_ptr<Plan> plan) { return std::make_unique<PlanState>(std::move(plan)); });

  module.def("run", &run, "shares"_a, "ending"_a, "threads"_a = 1);
  module.def("grow_crew", [](std::size_t threads) { return Crew::of_process().grow(threads); }, "threads"_a);
  module.def(
      "int8_ways",
      [](const std::string& level) {
        std::vector<std::string> names;
        for (const Int8Kernels* one : int8_kernels(processor_level_named(level))) names.push_back(one->name);
        return names;
      },
      "level"_a = "");
}

}  // namespace synthhost
