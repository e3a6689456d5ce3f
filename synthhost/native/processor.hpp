// Which instructions the inner loops use: the best that this processor runs, or what SYNTHHOST_PROCESSOR names.
#pragma once

#include <string>
#include <vector>

namespace synthhost {

// As the x86-64 psABI names them; kBaseline is whatever every processor of this architecture runs.
enum class ProcessorLevel { kBaseline, kV3, kV4 };

// "baseline", "x86-64-v3" or "x86-64-v4".
const char* name_of(ProcessorLevel level);

// All levels that this processor runs and this module was compiled for, the plainest first.
const std::vector<ProcessorLevel>& processor_levels();

// The level in use, decided once. Throws std::invalid_argument if SYNTHHOST_PROCESSOR names none of the above.
ProcessorLevel processor_level();

// The level of that name, "" being the one in use. Throws std::invalid_argument if it cannot run here.
ProcessorLevel processor_level_named(const std::string& name);

}  // namespace synthhost
