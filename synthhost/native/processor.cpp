#include "processor.hpp"

#include <cstdlib>
#include <stdexcept>

#if defined(SYNTHHOST_X86_LEVELS)
#include <cpuid.h>
#endif

namespace synthhost {

namespace {

constexpr const char* kVariable = "SYNTHHOST_PROCESSOR";

#if defined(SYNTHHOST_X86_LEVELS)
bool converts_halves() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

std::vector<ProcessorLevel> found() {
  std::vector<ProcessorLevel> levels{ProcessorLevel::kBaseline};
#if defined(SYNTHHOST_X86_LEVELS)
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && converts_halves();
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  if (v3) levels.push_back(ProcessorLevel::kV3);
  if (v4) levels.push_back(ProcessorLevel::kV4);
#endif
  return levels;
}

ProcessorLevel found_by(const std::string& name, const std::string& asked_by) {
  std::string listed;
  for (const ProcessorLevel level : processor_levels()) {
    if (name == name_of(level)) return level;
    listed += (listed.empty() ? "" : ", ") + std::string(name_of(level));
  }
  throw std::invalid_argument(asked_by + ": this processor and build run no level '" + name.substr(0, 60) +
                              "'; they run " + listed + ". Name one of these, or none for the best.");
}

ProcessorLevel decided() {
  const char* asked = std::getenv(kVariable);
  return asked && *asked ? found_by(asked, kVariable) : processor_levels().back();
}

}  // namespace

const char* name_of(ProcessorLevel level) {
  switch (level) {
    case ProcessorLevel::kV4:
      return "x86-64-v4";
    case ProcessorLevel::kV3:
      return "x86-64-v3";
    case ProcessorLevel::kBaseline:
      break;
  }
  return "baseline";
}

const std::vector<ProcessorLevel>& processor_levels() {
  static const std::vector<ProcessorLevel> levels = found();
  return levels;
}

ProcessorLevel processor_level() {
  static const ProcessorLevel level = decided();
  return level;
}

ProcessorLevel processor_level_named(const std::string& name) {
  return name.empty() ? processor_level() : found_by(name, "level");
}

}  // namespace synthhost
