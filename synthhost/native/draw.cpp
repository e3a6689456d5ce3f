#include "draw.hpp"

#include <algorithm>
#include <cmath>

namespace synthhost {

namespace {

constexpr double kEdge = 1e-5;  // of uniforms in a mixture

double inside(double u) { return std::min(std::max(u, kEdge), 1.0 - kEdge); }

float limited(double value) {
  return std::isnan(value) ? 0.0f : static_cast<float>(std::min(std::max(value, -1.0), 1.0));
}

}  // namespace

std::size_t likeliest(const float* logits, std::size_t count) {
  std::size_t best = 0;
  for (std::size_t k = 1; k < count; ++k) {
    if (logits[k] > logits[best]) best = k;
  }
  return best;
}

std::size_t categorical(const Kernels& kernels, const float* logits, std::size_t count, double u,
                        double temperature, double* scratch) {
  if (!(temperature > 0.0)) return likeliest(logits, count);
  const std::size_t parts = (count + kQuarterPanel - 1) / kQuarterPanel;
  double* sums = scratch + count;
  kernels.exponentials(logits, kernels.greatest(logits, count), 1.0 / temperature, scratch, sums, count);
  double total = 0.0;
  for (std::size_t part = 0; part < parts; ++part) total += sums[part];
  const double level = u * total;
  double sum = 0.0;
  std::size_t part = 0;
  for (; part + 1 < parts && sum + sums[part] <= level; ++part) sum += sums[part];
  for (std::size_t k = part * kQuarterPanel; k + 1 < count; ++k) {
    sum += scratch[k];
    if (!(sum <= level)) return k;
  }
  return count - 1;
}

float mixture_of_logistics(const float* parameters, std::size_t mixtures, const double* uniforms,
                           double temperature) {
  std::size_t best = 0;
  double highest = 0.0;
  for (std::size_t k = 0; k < mixtures; ++k) {
    const double gumbel = -std::log(-std::log(inside(uniforms[k])));
    const double score = static_cast<double>(parameters[k]) + temperature * gumbel;
    if (k == 0 || score > highest) best = k, highest = score;
  }
  const double u = inside(uniforms[mixtures]);
  const double scale = std::exp(static_cast<double>(parameters[2 * mixtures + best]));
  const double noise = temperature > 0.0 ? temperature * scale * (std::log(u) - std::log(1.0 - u)) : 0.0;
  return limited(static_cast<double>(parameters[mixtures + best]) + noise);
}

float gaussian(const float* parameters, float normal, double temperature) {
  const double noise =
      temperature > 0.0 ? temperature * std::exp(static_cast<double>(parameters[1])) * normal : 0.0;
  return limited(static_cast<double>(parameters[0]) + noise);
}

}  // namespace synthhost
