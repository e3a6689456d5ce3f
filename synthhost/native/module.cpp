// The extension module: binds the sample loops to numpy arrays.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include "bindings.hpp"
#include "processor.hpp"

NB_MODULE(_loops, module) {
  nanobind::set_leak_warnings(false);  // a host ends with its voices still in their tracks
  module.doc() = "Sample loops of autoregressive networks.";
  module.def("processor_level", [] { return std::string(synthhost::name_of(synthhost::processor_level())); });
  module.def("processor_levels", [] {
    std::vector<std::string> names;
    for (const auto level : synthhost::processor_levels()) names.emplace_back(synthhost::name_of(level));
    return names;
  });
  synthhost::bind_peak(module);
  synthhost::bind_samplernn(module);
  synthhost::bind_wavenet(module);
}
