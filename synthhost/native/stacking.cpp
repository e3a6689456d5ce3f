// Samples as rows of a hop each, and back.
#include <algorithm>
#include <stdexcept>

#include "simple_node.hpp"
#include "simple_nodes.hpp"

namespace synthhost {

namespace {

class Stack : public SimpleNode {
 public:
  Stack(int input, int output, Count hop) : SimpleNode({input}, output, kNone), hop_(hop) {}
  Count decided(std::size_t, Count n, bool) const override { return n / hop_; }
  Count reads_from(std::size_t, Count done) const override { return done * hop_; }

  void run_one(const Plan& plan, const Work& work) const override {
    const std::size_t stride = plan.stream(inputs[0]).moment_stride(), width = plan.stream(raw).moment_stride();
    const float* x = in(plan, work, 0, work.first * hop_);
    float* y = out(plan, work);
    for (Count row = 0; row < work.count; ++row, y += width) {
      for (Count n = 0; n < hop_; ++n, x += stride) y[n] = *x;
    }
  }

 private:
  const Count hop_;
};

class Unstack : public SimpleNode {
 public:
  Unstack(int input, int output, Count hop) : SimpleNode({input}, output, kNone), hop_(hop) {}
  Count decided(std::size_t, Count n, bool) const override { return n * hop_; }
  Count reads_from(std::size_t, Count done) const override { return done / hop_; }

  void run_one(const Plan& plan, const Work& work) const override {
    const std::size_t stride = plan.stream(raw).moment_stride();
    float* y = out(plan, work);
    for (Count n = 0; n < work.count; ++n, y += stride) {
      const Count at = work.first + n;
      *y = in(plan, work, 0, at / hop_)[at % hop_];
    }
  }

 private:
  const Count hop_;
};

}  // namespace

std::unique_ptr<Node> make_stack(const Plan& plan, int input, int output, Count hop) {
  if (hop < 1) throw std::invalid_argument("a row takes at least one sample.");
  expect_rows(plan, {output});
  expect("the number of channels", plan.stream(input).channels, 1);
  expect("the number of channels made", plan.stream(output).channels, static_cast<std::size_t>(hop));
  return std::make_unique<Stack>(input, output, hop);
}

std::unique_ptr<Node> make_unstack(const Plan& plan, int input, int output, Count hop) {
  if (hop < 1 || plan.stream(input).channels < static_cast<std::size_t>(hop)) {
    throw std::invalid_argument("a row must hold the samples that are taken of it, at least one.");
  }
  expect_rows(plan, {input});
  expect("the number of channels made", plan.stream(output).channels, 1);
  return std::make_unique<Unstack>(input, output, hop);
}

}  // namespace synthhost
