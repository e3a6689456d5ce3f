// A network of streaming layers as a flat list of nodes over streams, and the executor that runs it.
//
// Moments of a stream are counted from its start. A node computes what its inputs have decided, as far as there
// is room for it; the executor goes through all nodes until nothing moves. So every chunking, start and end runs
// through the same code, and memory is laid out once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "conv_kernels.hpp"
#include "crew.hpp"
#include "int8_kernels.hpp"
#include "kernels.hpp"
#include "packed.hpp"

namespace synthhost {

using Count = std::int64_t;

enum class Layout { kTimeMajor, kChannelMajor };  // which axis is the outer one in memory
enum class Edge { kZeros, kReflect, kReplicate };  // what stands before and after a stream

inline constexpr int kNone = -1;  // no stream

// Where a stream lies in a state's memory.
struct Stream {
  std::size_t channels = 0;
  Layout layout = Layout::kTimeMajor;
  Edge edge = Edge::kZeros;
  Count lead = 0;             // moments before the first that are read
  Count tail = 0;             // moments after the last that are read
  Count guard = 0;            // moments before its end that its node may write again
  Count beyond = 0;           // moments after its end that its node may write
  std::size_t moments = 0;    // that there is room for
  std::size_t width = 0;      // floats of a moment, or of a channel where the layout is channel-major
  std::size_t offset = 0;     // in the state's memory, in floats
  std::vector<std::pair<std::size_t, std::size_t>> readers;  // node, and which of its inputs

  std::size_t moment_stride() const { return layout == Layout::kTimeMajor ? width : 1; }
  std::size_t channel_stride() const { return layout == Layout::kTimeMajor ? 1 : width; }
};

// How far a running stream has come.
struct Cursor {
  Count origin = 0;  // the moment at the front of its memory
  Count end = 0;     // decided moments
  bool closed = false;
};

class Plan;

// What one voice remembers.
class PlanState {
 public:
  explicit PlanState(std::shared_ptr<const Plan> plan);
  PlanState(const PlanState&) = delete;
  PlanState& operator=(const PlanState&) = delete;
  ~PlanState() { std::free(block_); }

  std::unique_ptr<PlanState> copy() const;
  float* memory() const { return memory_; }
  Cursor& cursor(int stream) { return cursors_[static_cast<std::size_t>(stream)]; }
  const Cursor& cursor(int stream) const { return cursors_[static_cast<std::size_t>(stream)]; }
  const Plan& plan() const { return *plan_; }

 private:
  friend class Plan;

  std::shared_ptr<const Plan> plan_;
  std::vector<Cursor> cursors_;
  void* block_;  // zeros that the system hands out when they are first touched
  float* memory_;
  Count given_ = 0;  // outputs handed out
};

// What one voice's run is given, and where its sound goes.
struct Feed {
  PlanState* state = nullptr;
  const float* frames = nullptr;  // [count, channels]
  std::size_t count = 0;
  bool ending = false;
  const float* noise = nullptr;  // [noises, noise_count], from where every noise stands
  std::size_t noise_count = 0;
  std::size_t noise_rows = 0;
  const Count* noise_first = nullptr;  // the moments that its rows begin with
  float* out = nullptr;                // [room, channels]
  std::size_t room = 0;
  std::size_t taken = 0;    // frames
  std::size_t written = 0;  // outputs
};

// A piece of a node's work: the next `count` outputs of one voice.
struct Work {
  Feed* feed;
  Count first;
  Count count;
  Crew::Shift* shift;  // who may help
  PlanState& state() const { return *feed->state; }
};

class Node {
 public:
  Node(std::vector<int> inputs, int raw, int active) : inputs(std::move(inputs)), raw(raw), active(active) {}
  virtual ~Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // How many outputs are decided by `n` moments of an input.
  virtual Count decided(std::size_t input, Count n, bool closed) const;
  // The first moment of an input that output `done` or a later one reads.
  virtual Count reads_from(std::size_t input, Count done) const;
  // Moments before the first and after the last that are read of an input.
  virtual Count before(std::size_t) const { return 0; }
  virtual Count after(std::size_t) const { return 0; }
  // Moments around those asked for that `run` may write, and those before the first of the stream.
  virtual Count guard() const { return 0; }
  virtual Count beyond() const { return 0; }
  virtual Count lead() const { return 0; }
  // Floats of memory that a run needs for itself.
  virtual std::size_t scratch(const Plan&) const { return 0; }

  virtual void run(const Plan& plan, std::span<const Work> works) const = 0;

  const std::vector<int> inputs;
  const int raw, active;  // streams written; one may be kNone
  int primary() const { return raw != kNone ? raw : active; }
};

class Plan {
 public:
  // `int8_way`: the name of one of the level's `int8_kernels`; "": the fastest.
  Plan(std::size_t channels, ProcessorLevel level, const std::string& int8_way = "");
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  // While it is built: streams, then the node that writes them; the input is stream 0.
  int add_stream(std::size_t channels, Layout layout);
  void add_node(std::unique_ptr<Node> node);
  void set_edge(int stream, Edge edge);

  // Keeps weights beside those of the nodes before, as steps read them; they lie at `weights(place)`.
  std::size_t store(const Floats& weights);
  const float* weights(std::size_t place) const { return weights_.data() + place; }

  // Floats of a state's memory for steps of `frames` frames.
  std::size_t floats_for(int output, std::size_t frames);

  // Lays out memory for steps of `frames` frames; nothing can be added after it.
  void seal(int output, std::size_t frames);

  // Runs voices together until all that was given is taken and all that is decided is written, on so many
  // threads at most; their number changes no bit.
  void run(std::span<Feed> feeds, std::size_t threads = 1) const;
  // How many moments every stream has when `n` frames came.
  std::vector<Count> ends(Count n, bool closed) const;

  const Stream& stream(int index) const { return streams_[static_cast<std::size_t>(index)]; }
  std::size_t channels() const { return streams_.front().channels; }
  std::size_t output_channels() const { return stream(output_).channels; }
  int output() const { return output_; }
  std::size_t stream_count() const { return streams_.size(); }
  std::size_t state_floats() const { return floats_; }
  float* scratch(PlanState& state) const { return state.memory() + scratch_offset_; }
  const std::vector<std::unique_ptr<Node>>& nodes() const { return nodes_; }
  const Kernels& kernels() const { return kernels_; }
  const ConvKernels& conv_kernels() const { return conv_kernels_; }
  const Int8Kernels& int8_kernels() const { return int8_kernels_; }

  // Where moment `at` of a stream lies.
  float* at(PlanState& state, int stream, Count at) const {
    const Stream& one = this->stream(stream);
    const Count place = at - state.cursor(stream).origin;
    return state.memory() + one.offset + static_cast<std::ptrdiff_t>(one.moment_stride()) * place;
  }

 private:
  void run_together(std::span<Feed> feeds, Crew::Shift& shift) const;
  Count limit(const Node& node, const PlanState& state) const;
  Count kept_from(int stream, const PlanState& state) const;
  Count room(int stream, const PlanState& state) const;
  void make_room(int stream, Count count, PlanState& state) const;
  bool advance(const Node& node, std::span<Feed> feeds, Crew::Shift& shift) const;
  void advanced(int stream, Count count, PlanState& state) const;
  void fill_lead(int stream, Count before, PlanState& state) const;
  void close(int stream, PlanState& state) const;
  bool take(Feed& feed) const;
  bool give(Feed& feed) const;
  void copy_moment(int stream, Count from, Count to, PlanState& state) const;
  void lay_out();
  Count next_end(const Node& node, const std::vector<Count>& ends, bool closed) const;
  Count needed(const Stream& stream, const std::vector<Count>& ends) const;

  const Kernels& kernels_;
  const ConvKernels& conv_kernels_;
  const Int8Kernels& int8_kernels_;
  Floats weights_;
  std::vector<Stream> streams_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::size_t frames_ = 0;
  std::size_t floats_ = 0;
  std::size_t scratch_offset_ = 0;
  int output_ = 0;
};

}  // namespace synthhost
