// How a network's last layer becomes one value, by chance or as the likeliest.
#pragma once

#include <cstddef>

#include "kernels.hpp"

namespace synthhost {

// The first index of the greatest value.
std::size_t likeliest(const float* logits, std::size_t count);

// How many k have cumsum(p)[k] <= u, where p = softmax(logits / temperature), all in double precision;
// temperature 0 takes the likeliest. `scratch` has room for `count` values and a sum of every kQuarterPanel.
std::size_t categorical(const Kernels& kernels, const float* logits, std::size_t count, double u,
                        double temperature, double* scratch);

// A draw from a mixture of logistics, limited to -1 ... 1 (Salimans et al. 2017, as r9y9/wavenet_vocoder draws).
//
// `parameters` are logits, means and log-scales, `mixtures` of each. `uniforms` are one for each mixture and
// one for the logistic, all limited to 1e-5 ... 1 - 1e-5. Log-scales are not limited. The temperature scales
// the noise on both; 0 gives the likeliest mixture's mean.
float mixture_of_logistics(const float* parameters, std::size_t mixtures, const double* uniforms,
                           double temperature);

// A draw from a normal distribution of mean and log-scale, limited to -1 ... 1.
float gaussian(const float* parameters, float normal, double temperature);

}  // namespace synthhost
