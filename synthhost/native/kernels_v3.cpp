// The inner loops for x86-64-v3 processors (AVX2 and FMA).
#define SYNTHHOST_LEVEL v3
#define SYNTHHOST_LANES 8
#include "kernels_body.hpp"
