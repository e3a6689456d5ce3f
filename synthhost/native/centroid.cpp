// Where a row of scores is highest, finer than its places lie apart.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "simple_node.hpp"
#include "simple_nodes.hpp"

namespace synthhost {

namespace {

constexpr float kFar = 1e30f;  // scores beyond count as this

float score(float x) { return std::isnan(x) ? -kFar : std::clamp(x, -kFar, kFar); }

// Where places lie: `reach` on either side of the highest count.
struct Places {
  Count count;
  double first, apart;
  Count reach;
};

class Centroid : public SimpleNode {
 public:
  Centroid(int input, int output, Places places) : SimpleNode({input}, output, kNone), places_(places) {}

  void run_one(const Plan& plan, const Work& work) const override {
    const std::size_t width = plan.stream(raw).moment_stride();
    float* y = out(plan, work);
    for (Count n = 0; n < work.count; ++n, y += width) *y = middle(in(plan, work, 0, work.first + n));
  }

 private:
  float middle(const float* x) const {
    const Count count = places_.count;
    Count where = 0;
    for (Count k = 1; k < count; ++k) {
      if (score(x[k]) > score(x[where])) where = k;
    }
    const float highest = score(x[where]);
    float sum = 0.0f, moved = 0.0f;
    for (Count k = std::max<Count>(where - places_.reach, 0); k <= std::min(where + places_.reach, count - 1); ++k) {
      const float weight = std::exp(score(x[k]) - highest);
      sum += weight;
      moved += weight * static_cast<float>(k - where);
    }
    return static_cast<float>(places_.first) +
           static_cast<float>(places_.apart) * (static_cast<float>(where) + moved / sum);
  }

  const Places places_;
};

}  // namespace

std::unique_ptr<Node> make_centroid(const Plan& plan, int input, int output, double first, double apart, Count reach) {
  expect_rows(plan, {input, output});
  expect("the number of channels made", plan.stream(output).channels, 1);
  const Places places{static_cast<Count>(plan.stream(input).channels), first, apart, reach};
  if (reach < 0 || places.count <= 2 * reach || !std::isfinite(first) || !std::isfinite(apart)) {
    throw std::invalid_argument("a centroid takes more places than it reaches over, and where they lie.");
  }
  return std::make_unique<Centroid>(input, output, places);
}

}  // namespace synthhost
