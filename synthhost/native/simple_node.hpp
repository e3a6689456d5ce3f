// What the nodes between convolutions share.
#pragma once

#include <stdexcept>
#include <vector>

#include "plan.hpp"

namespace synthhost {

// The dense pieces that `count` moments of a stream lie in.
struct Pieces {
  Pieces(const Stream& stream, Count count)
      : number(stream.layout == Layout::kTimeMajor ? static_cast<std::size_t>(count) : stream.channels),
        length(stream.layout == Layout::kTimeMajor ? stream.channels : static_cast<std::size_t>(count)) {}
  std::size_t number;  // of pieces, `width` floats apart
  std::size_t length;  // floats of each
};

// One that runs voice after voice.
class SimpleNode : public Node {
 public:
  using Node::Node;
  void run(const Plan& plan, std::span<const Work> works) const override {
    for (const Work& work : works) run_one(plan, work);
  }
  virtual void run_one(const Plan& plan, const Work& work) const = 0;

 protected:
  const float* in(const Plan& plan, const Work& work, std::size_t n, Count at) const {
    return plan.at(work.state(), inputs[n], at);
  }
  float* out(const Plan& plan, const Work& work) const { return plan.at(work.state(), primary(), work.first); }
};

// Streams whose moments lie dense, one after the other.
inline void expect_rows(const Plan& plan, const std::vector<int>& streams) {
  for (const int one : streams) {
    if (plan.stream(one).layout != Layout::kTimeMajor) throw std::invalid_argument("time must be the outer axis.");
  }
}

}  // namespace synthhost
