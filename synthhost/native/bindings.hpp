// One function for each loop that adds it to the module.
#pragma once

#include <nanobind/nanobind.h>

namespace synthhost {

void bind_peak(nanobind::module_& module);
void bind_samplernn(nanobind::module_& module);
void bind_wavenet(nanobind::module_& module);

}  // namespace synthhost
