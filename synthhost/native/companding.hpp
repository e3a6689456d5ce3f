// The mu-law (ITU-T G.711 in its continuous form), undone.
#pragma once

#include <cmath>

namespace synthhost {

// The amplitude that a level within -1 to 1 stands for; with no mu, itself.
inline double expanded(double level, double mu) {
  if (!(mu > 0.0)) return level;
  const double size = std::expm1(std::fabs(level) * std::log1p(mu)) / mu;
  return level < 0.0 ? -size : size;
}

}  // namespace synthhost
