// The convolutions' inner loops for x86-64-v4 processors (AVX-512).
#define SYNTHHOST_LEVEL v4
#define SYNTHHOST_LANES 16
#define SYNTHHOST_ROWS 12
#include "conv_body.hpp"
