// A small network of every kind of convolution, run by the executor without Python: `plan_check float32|int8`.
// Weights and frames come from the standard input as float32 in the order in which they are used, sound goes to
// the standard output; test_aarch64.py says what both must be.
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "conv_nodes.hpp"
#include "simple_nodes.hpp"

using namespace synthhost;

namespace {

constexpr std::size_t kBands = 5, kWide = 36, kUp = 40, kFrames = 50;

std::vector<float> read(std::size_t count) {
  std::vector<float> values(count);
  if (std::fread(values.data(), sizeof(float), count, stdin) != count) std::abort();
  return values;
}

struct Building {
  Plan plan{kBands, processor_level()};
  bool int8;

  int stream(std::size_t channels, Layout layout = Layout::kTimeMajor) { return plan.add_stream(channels, layout); }

  // The stream as a convolution of so many layers reads it.
  int read_as(int from, std::size_t layers) {
    if (layers == 0) return from;
    const int to = stream(layers * int8_width(plan.stream(from).channels));
    plan.set_edge(to, plan.stream(from).edge);
    plan.add_node(make_quantise(plan, from, to, layers));
    return to;
  }

  int conv(int from, std::size_t outputs, std::size_t taps, std::size_t dilation, Count pad, bool wide,
           int first = kNone) {
    const std::size_t inputs = plan.stream(from).channels, layers = int8 && wide ? 1 : 0;
    const std::vector<float> weight = read(outputs * inputs * taps), bias = read(outputs);
    const int x = read_as(from, layers), to = stream(outputs);
    plan.add_node(make_conv(plan, x, {weight.data(), bias.data(), outputs, inputs, taps, layers}, dilation, pad, pad,
                            {first, kNone, 1.0f, to, kNone, 0.0f}));
    return to;
  }

  int transposed(int from, std::size_t outputs, std::size_t taps, Count stride, Count padding, Count longer) {
    const std::size_t inputs = plan.stream(from).channels, layers = int8 ? 2 : 0;
    const std::vector<float> weight = read(outputs * inputs * taps), bias = read(outputs);
    const int x = read_as(from, layers), to = stream(outputs);
    plan.add_node(make_transposed(plan, x, {weight.data(), bias.data(), outputs, inputs, taps, layers}, stride, padding,
                                  longer, {kNone, kNone, 1.0f, to, kNone, 0.0f}));
    return to;
  }

  // The last convolution, over time.
  int columns(int from, std::size_t taps, Count pad) {
    const std::size_t inputs = plan.stream(from).channels;
    const std::vector<float> weight = read(inputs * taps), bias = read(1);
    const int turned = stream(inputs, Layout::kChannelMajor), to = stream(1, Layout::kChannelMajor);
    plan.add_node(make_transpose(plan, from, turned, kNone, 0.0f));
    plan.add_node(make_conv(plan, turned, {weight.data(), bias.data(), 1, inputs, taps}, 1, pad, pad,
                            {kNone, kNone, 1.0f, to, kNone, 0.0f}));
    return to;
  }
};

}  // namespace

int main(int count, char** words) {
  auto building = std::make_shared<Building>();
  building->int8 = count > 1 && std::strcmp(words[1], "int8") == 0;
  Building& b = *building;
  const int in = b.conv(0, kWide, 3, 1, 1, false);
  const int bent = b.stream(kWide);
  b.plan.set_edge(bent, Edge::kReflect);
  b.plan.add_node(make_leaky(b.plan, in, bent, 0.1f));
  const int dilated = b.conv(bent, kWide, 3, 3, 3, true);
  const int summed = b.conv(dilated, kWide, 1, 1, 0, true, in);
  const int up = b.transposed(summed, kUp, 5, 2, 1, 1);
  const int out = b.columns(b.conv(up, 32, 5, 1, 2, true), 3, 1);
  b.plan.seal(out, 2);

  const std::vector<float> frames = read(kFrames * kBands);
  PlanState state(std::shared_ptr<const Plan>(building, &b.plan));
  std::vector<float> sound(8 * kFrames + 64);
  std::size_t written = 0, sent = 0;
  const Count first = 0;
  while (sent < kFrames) {  // in pieces, on two threads
    Feed feed;
    feed.state = &state;
    feed.frames = frames.data() + sent * kBands;
    feed.count = std::min<std::size_t>(7, kFrames - sent);
    feed.ending = sent + feed.count == kFrames;
    feed.noise_first = &first;
    feed.out = sound.data() + written;
    feed.room = sound.size() - written;
    Crew::of_process().grow(2);
    b.plan.run(std::span<Feed>(&feed, 1), 2);
    sent += feed.count;
    written += feed.written;
  }
  return std::fwrite(sound.data(), sizeof(float), written, stdout) == written ? 0 : 1;
}
