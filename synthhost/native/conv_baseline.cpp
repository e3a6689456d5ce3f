// The convolutions' inner loops for any processor.
#define SYNTHHOST_LEVEL baseline
#define SYNTHHOST_LANES 4
#define SYNTHHOST_ROWS 6
#include "conv_body.hpp"
