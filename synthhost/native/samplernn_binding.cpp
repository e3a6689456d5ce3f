// SampleRNN's loop for Python.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>

#include "arrays.hpp"
#include "bindings.hpp"
#include "samplernn_loop.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace synthhost {

namespace {

// One array for each tier, the lowest first.
using Each1 = std::vector<Weights1>;
using Each2 = std::vector<Weights2>;
using Each3 = std::vector<Weights3>;

void make_loop(SampleRnnLoop* memory, const Each2& inputs, const Each1& input_biases, const Each3& from_inputs,
               const Each2& from_input_biases, const Each3& from_hiddens, const Each2& from_hidden_biases,
               const Each2& starts, const Each3& upsamplings, const Each2& upsampling_biases,
               const Weights3& taps, const Weights2& hidden, const Weights1& hidden_bias,
               const Weights2& output, const Weights1& output_bias, double companding, const std::string& precision,
               const std::string& level) {
  for (const std::size_t found :
       {input_biases.size(), from_inputs.size(), from_input_biases.size(), from_hiddens.size(),
        from_hidden_biases.size(), starts.size(), upsamplings.size(), upsampling_biases.size()}) {
    expect("the number of tiers", found, inputs.size());
  }
  SampleRnnWeights weights;
  for (std::size_t n = 0; n < inputs.size(); ++n) {
    weights.tiers.push_back({matrix_of(inputs[n]), floats_of(input_biases[n]), matrix_of(from_inputs[n]),
                             matrix_of(from_hiddens[n]), floats_of(from_input_biases[n]),
                             floats_of(from_hidden_biases[n]), floats_of(starts[n]), matrix_of(upsamplings[n]),
                             floats_of(upsampling_biases[n])});
  }
  weights.taps = matrix_of(taps);
  weights.hidden = matrix_of(hidden);
  weights.hidden_bias = floats_of(hidden_bias);
  weights.output = matrix_of(output);
  weights.output_bias = floats_of(output_bias);
  weights.companding = companding;
  new (memory) SampleRnnLoop(weights, kernels(processor_level_named(level)), precision_named(precision));
}

void run(const SampleRnnLoop& loop, const Array<const float, 2>& condition,
         const Array<const double, 2>& uniforms, const Array<const float, 2>& normals, double temperature,
         SampleRnnState& state, const Array<float, 1>& out, const std::optional<Array<float, 1>>& values) {
  const std::size_t samples = out.shape(0);
  expect_shape("condition", condition.shape(0), condition.shape(1), samples, loop.conditions());
  expect_shape("uniforms", uniforms.shape(0), uniforms.shape(1), samples, loop.uniforms());
  expect_shape("normals", normals.shape(0), normals.shape(1), samples, loop.normals());
  loop.check(state);
  if (values) expect("the length of values", values->shape(0), samples);
  const SampleRnnVoice voice{uniforms.data(), &state, out.data(), values ? values->data() : nullptr};
  const nb::gil_scoped_release released;
  loop.run(&voice, 1, temperature, samples);
}

void run_together(const SampleRnnLoop& loop, const Array<const float, 3>& condition,
                  const Array<const double, 3>& uniforms, const Array<const float, 3>& normals, double temperature,
                  const std::vector<SampleRnnState*>& states, const Voices& out) {
  const std::size_t samples = out.shape(1), count = states.size();
  expect("the number of voices in out", out.shape(0), count);
  expect_voices("condition", condition, count, samples, loop.conditions());
  expect_voices("uniforms", uniforms, count, samples, loop.uniforms());
  expect_voices("normals", normals, count, samples, loop.normals());
  std::vector<SampleRnnVoice> voices;
  for (std::size_t v = 0; v < count; ++v) {
    loop.check(*states[v]);
    loop.check_in_step(*states[v], *states[0]);
    voices.push_back({of_voice(uniforms, v), states[v], out.data() + static_cast<std::ptrdiff_t>(v) * out.stride(0),
                      nullptr});
  }
  expect_different(states);
  expect_dense(out);
  const nb::gil_scoped_release released;
  loop.run(voices.data(), count, temperature, samples);
}

void predict(const SampleRnnLoop& loop, const Array<const float, 2>& condition, const Array<const float, 1>& values,
             SampleRnnState& state, const Array<float, 2>& outputs) {
  const std::size_t samples = values.shape(0);
  expect_shape("condition", condition.shape(0), condition.shape(1), samples, loop.conditions());
  expect_shape("outputs", outputs.shape(0), outputs.shape(1), samples, loop.outputs());
  loop.check(state);
  const nb::gil_scoped_release released;
  loop.predict(values.data(), state, samples, outputs.data());
}

}  // namespace

void bind_samplernn(nb::module_& module) {
  nb::class_<SampleRnnState>(module, "SampleRnnState").def("copy", [](const SampleRnnState& state) {
    return state;
  });
  nb::class_<SampleRnnLoop>(module, "SampleRnnLoop")
      .def("__init__", make_loop, nb::kw_only(), "inputs"_a, "input_biases"_a, "from_inputs"_a,
           "from_input_biases"_a, "from_hiddens"_a, "from_hidden_biases"_a, "starts"_a, "upsamplings"_a,
           "upsampling_biases"_a, "taps"_a, "hidden"_a, "hidden_bias"_a, "output"_a, "output_bias"_a,
           "companding"_a = 0.0, "precision"_a = "float32", "level"_a = "")
      .def_prop_ro("conditions", &SampleRnnLoop::conditions)
      .def_prop_ro("uniforms", &SampleRnnLoop::uniforms)
      .def_prop_ro("normals", &SampleRnnLoop::normals)
      .def_prop_ro("outputs", &SampleRnnLoop::outputs)
      .def_prop_ro("weight_bytes", &SampleRnnLoop::weight_bytes)
      .def("new_state", &SampleRnnLoop::new_state)
      .def("run", run, "condition"_a.noconvert(), "uniforms"_a.noconvert(), "normals"_a.noconvert(),
           "temperature"_a, "state"_a, "out"_a.noconvert(), "values"_a.noconvert() = nb::none())
      .def("predict", predict, "condition"_a.noconvert(), "values"_a.noconvert(), "state"_a, "outputs"_a.noconvert())
      .def("run_together", run_together, "condition"_a.noconvert(), "uniforms"_a.noconvert(),
           "normals"_a.noconvert(), "temperature"_a, "states"_a, "out"_a.noconvert());
}

}  // namespace synthhost
