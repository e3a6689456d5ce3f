// Streams of 8-bit integers.
#include <algorithm>

#include "conv_nodes.hpp"
#include "row_products.hpp"
#include "simple_node.hpp"

namespace synthhost {

namespace {

constexpr std::size_t kAsProducts = 16;  // what a value costs, in products of a convolution

class Quantise : public SimpleNode {
 public:
  Quantise(const Plan& plan, int input, int output, std::size_t layers)
      : SimpleNode({input}, output, kNone), kernels_(plan.int8_kernels()), layers_(layers) {
    expect_rows(plan, {input, output});
    expect("the number of floats of a quantised moment", plan.stream(output).channels,
           layers * int8_width(plan.stream(input).channels));
    if (layers < 1 || layers > 2) throw std::invalid_argument("8-bit integers come in one layer or two.");
  }

  void run_one(const Plan& plan, const Work& work) const override {
    const Stream& from = plan.stream(inputs[0]);
    const std::size_t y_stride = plan.stream(primary()).width, count = static_cast<std::size_t>(work.count);
    const float* x = in(plan, work, 0, work.first);
    float* y = out(plan, work);
    const std::size_t parts = std::min(worthwhile_parts(*work.shift, count * from.channels * kAsProducts), count);
    work.shift->share(parts, [&](std::size_t n) {
      const std::size_t first = count * n / parts, last = count * (n + 1) / parts;
      kernels_.quantise({x + first * from.width, from.width, y + first * y_stride, y_stride, from.channels,
                         last - first, layers_});
    });
  }

 private:
  const Int8Kernels& kernels_;
  const std::size_t layers_;
};

}  // namespace

std::unique_ptr<Node> make_quantise(const Plan& plan, int input, int output, std::size_t layers) {
  return std::make_unique<Quantise>(plan, input, output, layers);
}

}  // namespace synthhost
