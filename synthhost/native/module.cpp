// The extension module: binds the sample loops to numpy arrays.
#include <nanobind/nanobind.h>

#include "bindings.hpp"
#include "kernels.hpp"

NB_MODULE(_loops, module) {
  nanobind::set_leak_warnings(false);  // a host ends with its voices still in their tracks
  module.doc() = "Sample loops of autoregressive networks.";
  module.def("processor_level", [] { return synthhost::kernels().level; });
  synthhost::bind_samplernn(module);
  synthhost::bind_wavenet(module);
}
