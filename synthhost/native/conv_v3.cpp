// The convolutions' inner loops for x86-64-v3 processors (AVX2, FMA).
#define SYNTHHOST_LEVEL v3
#define SYNTHHOST_LANES 8
#define SYNTHHOST_ROWS 6
#include "conv_body.hpp"
