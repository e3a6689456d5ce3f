// WaveNet's loop for Python.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>

#include "arrays.hpp"
#include "bindings.hpp"
#include "wavenet_loop.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace synthhost {

namespace {

Gate gate_named(const std::string& name) {
  if (name == "tanh-sigmoid") return Gate::kTanhSigmoid;
  if (name == "relu") return Gate::kRectifier;
  throw std::invalid_argument("there is no gate '" + name + "'; there are tanh-sigmoid and relu.");
}

Distribution distribution_named(const std::string& name) {
  if (name == "softmax") return Distribution::kSoftmax;
  if (name == "logistics") return Distribution::kLogistics;
  if (name == "normal") return Distribution::kNormal;
  throw std::invalid_argument("there is no distribution '" + name + "'; there are softmax, logistics and normal.");
}

void make_loop(WavenetLoop* memory, const Weights2& first, const Weights1& first_bias,
               const std::vector<std::size_t>& dilations, std::size_t kernel, const std::string& gate,
               const Weights3& convs, const Weights2& conv_biases, const Weights3& conditions,
               const Weights3& mixes, const Weights2& mix_biases, float residual_scale,
               const std::vector<Weights2>& heads, const std::vector<Weights1>& head_biases,
               const std::string& distribution, double levels, double companding, double de_emphasis,
               double gain, double start, double dc_pole, const std::string& precision, const std::string& level) {
  WavenetWeights weights;
  weights.first = matrix_of(first);
  weights.first_bias = floats_of(first_bias);
  weights.dilations = dilations;
  weights.kernel = kernel;
  weights.gate = gate_named(gate);
  weights.convs = matrix_of(convs);
  weights.conv_biases = floats_of(conv_biases);
  weights.conditions = matrix_of(conditions);
  weights.mixes = matrix_of(mixes);
  weights.mix_biases = floats_of(mix_biases);
  weights.residual_scale = residual_scale;
  for (const Weights2& head : heads) weights.heads.push_back(matrix_of(head));
  for (const Weights1& bias : head_biases) weights.head_biases.push_back(floats_of(bias));
  new (memory) WavenetLoop(weights,
                           {distribution_named(distribution), levels, companding, de_emphasis, gain, start, dc_pole},
                           kernels(processor_level_named(level)), precision_named(precision));
}

void run(const WavenetLoop& loop, const Array<const float, 2>& condition,
         const Array<const double, 2>& uniforms, const Array<const float, 2>& normals, double temperature,
         WavenetState& state, const Array<float, 1>& out, const std::optional<Array<float, 1>>& values) {
  const std::size_t samples = out.shape(0);
  expect_shape("condition", condition.shape(0), condition.shape(1), samples, loop.conditions());
  expect_shape("uniforms", uniforms.shape(0), uniforms.shape(1), samples, loop.uniforms());
  expect_shape("normals", normals.shape(0), normals.shape(1), samples, loop.normals());
  if (values) expect("the length of values", values->shape(0), samples);
  loop.check(state);
  float* drawn = values ? values->data() : nullptr;
  const WavenetVoice voice{condition.data(), uniforms.data(), normals.data(), &state, out.data(), drawn};
  const nb::gil_scoped_release released;
  loop.run(&voice, 1, temperature, samples);
}

void run_together(const WavenetLoop& loop, const Array<const float, 3>& condition,
                  const Array<const double, 3>& uniforms, const Array<const float, 3>& normals, double temperature,
                  const std::vector<WavenetState*>& states, const Voices& out) {
  const std::size_t samples = out.shape(1), count = states.size();
  expect("the number of voices in out", out.shape(0), count);
  expect_voices("condition", condition, count, samples, loop.conditions());
  expect_voices("uniforms", uniforms, count, samples, loop.uniforms());
  expect_voices("normals", normals, count, samples, loop.normals());
  std::vector<WavenetVoice> voices;
  for (std::size_t v = 0; v < count; ++v) {
    loop.check(*states[v]);
    voices.push_back({of_voice(condition, v), of_voice(uniforms, v), of_voice(normals, v), states[v],
                      out.data() + static_cast<std::ptrdiff_t>(v) * out.stride(0), nullptr});
  }
  expect_different(states);
  expect_dense(out);
  const nb::gil_scoped_release released;
  loop.run(voices.data(), count, temperature, samples);
}

void hear(const WavenetLoop& loop, const Array<const float, 2>& condition, const Array<const float, 1>& values,
          WavenetState& state) {
  expect_shape("condition", condition.shape(0), condition.shape(1), values.shape(0), loop.conditions());
  loop.check(state);
  const nb::gil_scoped_release released;
  loop.hear(condition.data(), values.data(), state, values.shape(0));
}

void predict(const WavenetLoop& loop, const Array<const float, 2>& condition, const Array<const float, 1>& values,
             WavenetState& state, const Array<float, 2>& outputs) {
  const std::size_t samples = values.shape(0);
  expect_shape("condition", condition.shape(0), condition.shape(1), samples, loop.conditions());
  expect_shape("outputs", outputs.shape(0), outputs.shape(1), samples, loop.outputs());
  loop.check(state);
  const nb::gil_scoped_release released;
  loop.predict(condition.data(), values.data(), state, samples, outputs.data());
}

}  // namespace

void bind_wavenet(nb::module_& module) {
  nb::class_<WavenetState>(module, "WavenetState").def("copy", [](const WavenetState& state) { return state; });
  nb::class_<WavenetLoop>(module, "WavenetLoop")
      .def("__init__", make_loop, nb::kw_only(), "first"_a, "first_bias"_a, "dilations"_a, "kernel"_a, "gate"_a,
           "convs"_a, "conv_biases"_a, "conditions"_a, "mixes"_a, "mix_biases"_a, "residual_scale"_a, "heads"_a,
           "head_biases"_a, "distribution"_a, "levels"_a, "companding"_a, "de_emphasis"_a, "gain"_a, "start"_a,
           "dc_pole"_a = 0.0, "precision"_a = "float32", "level"_a = "")
      .def_prop_ro("conditions", &WavenetLoop::conditions)
      .def_prop_ro("uniforms", &WavenetLoop::uniforms)
      .def_prop_ro("normals", &WavenetLoop::normals)
      .def_prop_ro("outputs", &WavenetLoop::outputs)
      .def_prop_ro("weight_bytes", &WavenetLoop::weight_bytes)
      .def("new_state", &WavenetLoop::new_state)
      .def("run", run, "condition"_a.noconvert(), "uniforms"_a.noconvert(), "normals"_a.noconvert(),
           "temperature"_a, "state"_a, "out"_a.noconvert(), "values"_a.noconvert() = nb::none())
      .def("run_together", run_together, "condition"_a.noconvert(), "uniforms"_a.noconvert(),
           "normals"_a.noconvert(), "temperature"_a, "states"_a, "out"_a.noconvert())
      .def("predict", predict, "condition"_a.noconvert(), "values"_a.noconvert(), "state"_a, "outputs"_a.noconvert())
      .def("hear", hear, "condition"_a.noconvert(), "values"_a.noconvert(), "state"_a);
}

}  // namespace synthhost
