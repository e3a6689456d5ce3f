// The inner loops for any processor.
#define SYNTHHOST_LEVEL baseline
#define SYNTHHOST_LANES 4
#include "kernels_body.hpp"
