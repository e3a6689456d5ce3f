// The extension module: binds the sample loops to numpy arrays.
#include <nanobind/nanobind.h>

NB_MODULE(_loops, module) {
  module.doc() = "Sample loops of autoregressive networks.";
}
