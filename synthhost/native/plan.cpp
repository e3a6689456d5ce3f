#include "plan.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "denormals.hpp"

namespace synthhost {

namespace {

constexpr std::size_t kVoices = 64;      // that run together at most
constexpr Count kLongestStart = 1 << 18;  // frames over which a start is followed

// Moments to leave before what is kept, so that what follows begins at a whole vector.
Count indent(const Stream& stream, Count kept) {
  if (stream.layout == Layout::kTimeMajor) return 0;
  return static_cast<Count>(whole_lanes(static_cast<std::size_t>(kept))) - kept;
}

}  // namespace

Count Node::decided(std::size_t, Count n, bool) const { return n; }
Count Node::reads_from(std::size_t, Count done) const { return done; }

PlanState::PlanState(std::shared_ptr<const Plan> plan)
    : plan_(std::move(plan)), block_(std::calloc(plan_->state_floats() + kRowLanes, sizeof(float))) {
  if (!block_) throw std::bad_alloc();
  const auto place = reinterpret_cast<std::uintptr_t>(block_);
  memory_ = reinterpret_cast<float*>((place + 63) / 64 * 64);
  cursors_.resize(plan_->stream_count());
  for (std::size_t n = 0; n < cursors_.size(); ++n) cursors_[n].origin = -plan_->stream(static_cast<int>(n)).lead;
}

std::unique_ptr<PlanState> PlanState::copy() const {
  auto made = std::make_unique<PlanState>(plan_);
  made->cursors_ = cursors_;
  made->given_ = given_;
  for (std::size_t n = 0; n < cursors_.size(); ++n) {
    const Stream& stream = plan_->stream(static_cast<int>(n));
    const Cursor& cursor = cursors_[n];
    const auto kept = static_cast<std::size_t>(cursor.end - cursor.origin + (cursor.closed ? stream.tail : 0));
    const bool rows = stream.layout == Layout::kTimeMajor;
    for (std::size_t c = 0; c < (rows ? 1 : stream.channels); ++c) {
      const std::size_t from = stream.offset + c * stream.width;
      std::memcpy(made->memory_ + from, memory_ + from, kept * stream.moment_stride() * sizeof(float));
    }
  }
  return made;
}

Plan::Plan(std::size_t channels, ProcessorLevel level, const std::string& int8_way)
    : kernels_(synthhost::kernels(level)),
      conv_kernels_(synthhost::conv_kernels(level)),
      int8_kernels_(synthhost::int8_kernels(level, int8_way)) {
  add_stream(channels, Layout::kTimeMajor);
}

int Plan::add_stream(std::size_t channels, Layout layout) {
  if (frames_) throw std::invalid_argument("the plan is sealed.");
  Stream stream;
  stream.channels = channels;
  stream.layout = layout;
  streams_.push_back(stream);
  return static_cast<int>(streams_.size()) - 1;
}

void Plan::set_edge(int stream, Edge edge) { streams_.at(static_cast<std::size_t>(stream)).edge = edge; }

void Plan::add_node(std::unique_ptr<Node> node) {
  if (frames_) throw std::invalid_argument("the plan is sealed.");
  const std::size_t place = nodes_.size();
  for (std::size_t n = 0; n < node->inputs.size(); ++n) {
    Stream& from = streams_.at(static_cast<std::size_t>(node->inputs[n]));
    from.readers.emplace_back(place, n);
    from.lead = std::max(from.lead, node->before(n));
    from.tail = std::max(from.tail, node->after(n));
  }
  for (const int to : {node->raw, node->active}) {
    if (to == kNone) continue;
    Stream& stream = streams_.at(static_cast<std::size_t>(to));
    stream.guard = node->guard();
    stream.beyond = node->beyond();
    stream.lead = std::max(stream.lead, node->lead());
  }
  nodes_.push_back(std::move(node));
}

std::size_t Plan::store(const Floats& weights) {
  if (frames_) throw std::invalid_argument("the plan is sealed.");
  const std::size_t place = weights_.size();
  weights_.insert(weights_.end(), weights.begin(), weights.end());
  weights_.resize(whole_lanes(weights_.size()), 0.0f);
  return place;
}

std::size_t Plan::floats_for(int output, std::size_t frames) {
  if (frames_) throw std::invalid_argument("the plan is sealed.");
  const std::vector<Stream> kept = streams_;
  streams_.at(static_cast<std::size_t>(output_ = output));
  frames_ = at_least_one("the number of frames", frames);
  lay_out();
  streams_ = kept;
  frames_ = 0;
  return std::exchange(floats_, 0);
}

void Plan::seal(int output, std::size_t frames) {
  if (frames_) throw std::invalid_argument("the plan is sealed.");
  output_ = output;
  streams_.at(static_cast<std::size_t>(output));
  frames_ = at_least_one("the number of frames", frames);
  lay_out();
  weights_.resize(weights_.size() + kPrefetched, 0.0f);
  weights_.shrink_to_fit();
}

// How far a node comes when its inputs stand at `ends`, room enough given.
Count Plan::next_end(const Node& node, const std::vector<Count>& ends, bool closed) const {
  Count least = -1;
  for (std::size_t n = 0; n < node.inputs.size(); ++n) {
    const Count one = node.decided(n, ends[static_cast<std::size_t>(node.inputs[n])], closed);
    if (least < 0 || one < least) least = one;
  }
  return std::max<Count>(least, 0);
}

std::vector<Count> Plan::ends(Count n, bool closed) const {
  std::vector<Count> found(streams_.size(), 0);
  found[0] = n;
  for (const auto& node : nodes_) {
    const Count end = next_end(*node, found, closed);
    if (node->raw != kNone) found[static_cast<std::size_t>(node->raw)] = end;
    if (node->active != kNone) found[static_cast<std::size_t>(node->active)] = end;
  }
  return found;
}

// The first moment of a stream that must be kept when everything stands at `ends`.
Count Plan::needed(const Stream& stream, const std::vector<Count>& ends) const {
  const auto index = static_cast<std::size_t>(&stream - streams_.data());
  Count first = ends[index] - stream.guard;
  for (const auto& [place, input] : stream.readers) {
    const Node& node = *nodes_[place];
    first = std::min(first, node.reads_from(input, ends[static_cast<std::size_t>(node.primary())]));
  }
  if (stream.edge != Edge::kZeros) first = std::min(first, ends[index] - stream.tail - 1);
  return std::max(first, -stream.lead);
}

// Follows the counts of a stream from its start on, to see how much every stream keeps at most.
void Plan::lay_out() {
  const Count ahead = static_cast<Count>(frames_) + 1;
  for (Stream& stream : streams_) stream.lead += indent(stream, stream.lead);
  std::vector<Count> most(streams_.size(), 0), last, before;
  int steady = 0;
  for (Count n = 0; steady < 4; ++n) {
    if (n > kLongestStart) throw std::invalid_argument("the network gives nothing within a sensible time.");
    const std::vector<Count> now = ends(n, false), later = ends(n + ahead, false);
    for (std::size_t s = 0; s < streams_.size(); ++s) {
      most[s] = std::max(most[s], later[s] - needed(streams_[s], now));
    }
    bool same = n > 1 && now[static_cast<std::size_t>(output_)] > 0;
    for (std::size_t s = 0; same && s < streams_.size(); ++s) {
      same = now[s] - last[s] == last[s] - before[s] && now[s] > 0;
    }
    steady = same ? steady + 1 : 0;
    before = std::exchange(last, now);
  }
  for (std::size_t s = 0; s < streams_.size(); ++s) {
    Stream& stream = streams_[s];
    // Twice as much as is kept: what is kept must be moved to the front only now and then.
    stream.moments = static_cast<std::size_t>(2 * (most[s] + stream.beyond + stream.tail)) + 2 * kRowLanes;
    const bool rows = stream.layout == Layout::kTimeMajor;
    stream.width = whole_lanes(rows ? std::max<std::size_t>(stream.channels, 1) : stream.moments + kOverrun);
    stream.offset = floats_;
    floats_ += whole_lanes(stream.width * (rows ? stream.moments : stream.channels) + kOverrun);
  }
  scratch_offset_ = floats_;
  std::size_t largest = 0;
  for (const auto& node : nodes_) largest = std::max(largest, node->scratch(*this));
  floats_ += whole_lanes(largest + kOverrun);
}

Count Plan::kept_from(int index, const PlanState& state) const {
  const Stream& stream = this->stream(index);
  const Cursor& cursor = state.cursor(index);
  Count first = cursor.end - stream.guard;
  for (const auto& [place, input] : stream.readers) {
    const Node& node = *nodes_[place];
    first = std::min(first, node.reads_from(input, state.cursor(node.primary()).end));
  }
  if (index == output_) first = std::min(first, state.given_);
  if (stream.edge != Edge::kZeros) first = std::min(first, cursor.end - stream.tail - 1);
  return std::max(first, cursor.origin);
}

// How many moments can be added to a stream.
Count Plan::room(int index, const PlanState& state) const {
  const Stream& stream = this->stream(index);
  const Count kept = state.cursor(index).end - kept_from(index, state);
  return static_cast<Count>(stream.moments - kRowLanes) - kept - stream.beyond - stream.tail;
}

// Moves what is kept to the front of a stream's memory, as soon as that is no more than what was read before
// it: so a stream's memory stays small and in the cache, and a moment is moved once on average.
void Plan::make_room(int index, Count count, PlanState& state) const {
  const Stream& stream = this->stream(index);
  Cursor& cursor = state.cursor(index);
  const Count first = kept_from(index, state) - indent(stream, cursor.end - kept_from(index, state));
  const Count reach = cursor.end + count + stream.beyond + stream.tail - cursor.origin;
  if (first <= cursor.origin) return;
  if (first - cursor.origin < cursor.end - first && reach <= static_cast<Count>(stream.moments)) return;
  const auto kept = static_cast<std::size_t>(cursor.end - first);
  const auto skipped = static_cast<std::size_t>(first - cursor.origin);
  const std::size_t step = stream.moment_stride();
  const bool rows = stream.layout == Layout::kTimeMajor;
  for (std::size_t c = 0; c < (rows ? 1 : stream.channels); ++c) {
    float* front = state.memory() + stream.offset + c * stream.width;
    std::memmove(front, front + skipped * step, kept * step * sizeof(float));
  }
  cursor.origin = first;
}

void Plan::copy_moment(int index, Count from, Count to, PlanState& state) const {
  const Stream& stream = this->stream(index);
  const float* source = at(state, index, from);
  float* target = at(state, index, to);
  for (std::size_t c = 0; c < stream.channels; ++c) {
    target[c * stream.channel_stride()] = source[c * stream.channel_stride()];
  }
}

// Lays what mirrors or repeats the first moments before them, as soon as they are there.
void Plan::fill_lead(int index, Count before, PlanState& state) const {
  const Stream& stream = this->stream(index);
  const Count end = state.cursor(index).end;
  if (stream.edge == Edge::kReflect) {
    for (Count n = std::max<Count>(before, 1); n < end && n <= stream.lead; ++n) copy_moment(index, n, -n, state);
  } else if (before == 0 && end > 0) {
    for (Count n = 1; n <= stream.lead; ++n) copy_moment(index, 0, -n, state);
  }
}

void Plan::advanced(int index, Count count, PlanState& state) const {
  Cursor& cursor = state.cursor(index);
  const Count before = cursor.end;
  cursor.end += count;
  const Stream& stream = this->stream(index);
  if (stream.edge != Edge::kZeros && before <= stream.lead) fill_lead(index, before, state);
}

// Ends a stream: lays what stands after it.
void Plan::close(int index, PlanState& state) const {
  const Stream& stream = this->stream(index);
  Cursor& cursor = state.cursor(index);
  if (cursor.closed) return;
  make_room(index, 0, state);
  cursor.closed = true;
  const Count end = cursor.end;
  if (end == 0) return;
  for (Count n = 0; n < stream.tail; ++n) {
    if (stream.edge == Edge::kReflect) {
      if (end - 2 - n >= cursor.origin) copy_moment(index, end - 2 - n, end + n, state);
    } else if (stream.edge == Edge::kReplicate) {
      copy_moment(index, end - 1, end + n, state);
    } else {
      float* target = at(state, index, end + n);
      for (std::size_t c = 0; c < stream.channels; ++c) target[c * stream.channel_stride()] = 0.0f;
    }
  }
}

// How many outputs a node could have made by now.
Count Plan::limit(const Node& node, const PlanState& state) const {
  Count least = -1;
  for (std::size_t n = 0; n < node.inputs.size(); ++n) {
    const Cursor& cursor = state.cursor(node.inputs[n]);
    const Count one = node.decided(n, cursor.end, cursor.closed);
    if (least < 0 || one < least) least = one;
  }
  return std::max<Count>(least, 0);
}

// Lets a node do all it can for every voice; tells whether anything moved.
bool Plan::advance(const Node& node, std::span<Feed> feeds, Crew::Shift& shift) const {
  Work works[kVoices];
  std::size_t busy = 0;
  bool moved = false;
  for (Feed& feed : feeds) {
    PlanState& state = *feed.state;
    Cursor& cursor = state.cursor(node.primary());
    const Count wanted = limit(node, state) - cursor.end;
    Count count = wanted;
    for (const int to : {node.raw, node.active}) {
      if (to != kNone) count = std::min(count, room(to, state));
    }
    if (count > 0) {
      for (const int to : {node.raw, node.active}) {
        if (to != kNone) make_room(to, count, state);
      }
      works[busy++] = {&feed, cursor.end, count, &shift};
    } else if (wanted <= 0 && !cursor.closed) {
      bool all = true;
      for (const int from : node.inputs) all = all && state.cursor(from).closed;
      for (const int to : {node.raw, node.active}) {
        if (to != kNone && all) close(to, state), moved = true;
      }
    }
  }
  if (!busy) return moved;
  node.run(*this, std::span<const Work>(works, busy));
  for (const Work& work : std::span<const Work>(works, busy)) {
    for (const int to : {node.raw, node.active}) {
      if (to != kNone) advanced(to, work.count, work.state());
    }
  }
  return true;
}

// Moves frames into a voice's input stream.
bool Plan::take(Feed& feed) const {
  PlanState& state = *feed.state;
  Cursor& cursor = state.cursor(0);
  const std::size_t left = feed.count - feed.taken;
  const auto room = static_cast<std::size_t>(std::max<Count>(this->room(0, state), 0));
  const std::size_t count = std::min({left, room, frames_});
  const std::size_t width = channels();
  if (count > 0) {
    make_room(0, static_cast<Count>(count), state);
    for (std::size_t n = 0; n < count; ++n) {
      const float* from = feed.frames + (feed.taken + n) * width;
      std::memcpy(at(state, 0, cursor.end + static_cast<Count>(n)), from, width * sizeof(float));
    }
    feed.taken += count;
    advanced(0, static_cast<Count>(count), state);
  }
  if (feed.ending && feed.taken == feed.count && !cursor.closed) {
    close(0, state);
    return true;
  }
  return count > 0;
}

// Hands out what a voice's output stream has decided.
bool Plan::give(Feed& feed) const {
  PlanState& state = *feed.state;
  const Stream& stream = this->stream(output_);
  const auto decided = static_cast<std::size_t>(state.cursor(output_).end - state.given_);
  if (decided > feed.room - feed.written) throw std::out_of_range("there is no room for the outputs of this run.");
  const float* from = at(state, output_, state.given_);
  float* to = feed.out + feed.written * stream.channels;
  if (stream.moment_stride() == stream.channels) {
    std::memcpy(to, from, decided * stream.channels * sizeof(float));
  } else {
    for (std::size_t n = 0; n < decided; ++n) {
      for (std::size_t c = 0; c < stream.channels; ++c) {
        to[n * stream.channels + c] = from[n * stream.moment_stride() + c * stream.channel_stride()];
      }
    }
  }
  state.given_ += static_cast<Count>(decided);
  feed.written += decided;
  return decided > 0;
}

void Plan::run(std::span<Feed> feeds, std::size_t threads) const {
  const FlushDenormals flushing;
  Crew::Shift shift(Crew::of_process(), threads);
  while (!feeds.empty()) {
    const std::size_t together = std::min(feeds.size(), kVoices);
    run_together(feeds.first(together), shift);
    feeds = feeds.subspan(together);
  }
}

void Plan::run_together(std::span<Feed> feeds, Crew::Shift& shift) const {
  bool moved = true;
  while (moved) {
    moved = false;
    for (Feed& feed : feeds) moved = take(feed) || moved;
    for (const auto& node : nodes_) moved = advance(*node, feeds, shift) || moved;
    for (Feed& feed : feeds) moved = give(feed) || moved;
  }
  for (const Feed& feed : feeds) {
    if (feed.taken < feed.count || (feed.ending && !feed.state->cursor(output_).closed)) {
      throw std::logic_error("the plan stands still before its end.");
    }
  }
}

}  // namespace synthhost
