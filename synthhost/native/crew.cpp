#include "crew.hpp"

#include <algorithm>
#include <chrono>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif
#if defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#endif

#include "denormals.hpp"

namespace synthhost {

namespace {

using Clock = std::chrono::steady_clock;

// How long anybody looks out before it sleeps: longer than the pause between two layers, far shorter than a block.
constexpr std::chrono::microseconds kLookOut{60};
constexpr int kLooks = 64;  // between two glances at the clock

constexpr int kPartBits = 16;
constexpr std::uint64_t kPartMask = (std::uint64_t{1} << kPartBits) - 1;

std::uint64_t next_of(std::uint64_t ticket) { return ticket & kPartMask; }
std::uint64_t parts_of(std::uint64_t ticket) { return ticket >> kPartBits & kPartMask; }
std::uint64_t job_after(std::uint64_t ticket, std::uint64_t parts) {
  return ((ticket >> 2 * kPartBits) + 1) << 2 * kPartBits | parts << kPartBits;
}

void rest() {
#if defined(__SSE2__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Looks again and again until `seen()`, for a bounded time; tells whether it was.
template <class Seen>
bool look_out(const Seen& seen) {
  const Clock::time_point until = Clock::now() + kLookOut;
  do {
    for (int n = 0; n < kLooks; ++n) {
      if (seen()) return true;
      rest();
    }
  } while (Clock::now() < until);
  return false;
}

}  // namespace

Crew& Crew::of_process() {
  static Crew* const crew = new Crew;  // lives as long as its helpers, which end with the process
  return *crew;
}

Crew::Crew()
    : most_(std::max(std::thread::hardware_concurrency(), 1u) - 1), helpers_(std::make_unique<Helper[]>(most_)) {}

std::size_t Crew::grow(std::size_t threads) {
  std::size_t number = number_.load(std::memory_order_acquire);
  for (; number < most_ && number + 1 < threads; ++number) {
    Helper& next = helpers_[number];
    next.thread = std::thread([this, &next] { help(next); });
    number_.store(number + 1, std::memory_order_release);
  }
  return std::min(threads, number + 1);
}

// A helper's life.
void Crew::help(Helper& self) {
  const FlushDenormals flushing;
  while (true) {
    const std::uint32_t call = self.calls.load(std::memory_order_acquire);
    do {
      while (take_part()) {
      }
    } while (look_out([this] { return has_part(); }));
    self.asleep.store(true, std::memory_order_seq_cst);
    if (!has_part()) self.calls.wait(call, std::memory_order_seq_cst);
    self.asleep.store(false, std::memory_order_seq_cst);
  }
}

bool Crew::has_part() const {
  const std::uint64_t ticket = ticket_.load(std::memory_order_seq_cst);
  return next_of(ticket) < parts_of(ticket);
}

// Does the next part, if there is one.
bool Crew::take_part() {
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  do {
    if (next_of(ticket) >= parts_of(ticket)) return false;
  } while (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel, std::memory_order_acquire));
  part_(context_, next_of(ticket));
  if (done_.fetch_add(1, std::memory_order_seq_cst) + 1 == parts_of(ticket) && waits_.load(std::memory_order_seq_cst)) {
    done_.notify_one();
  }
  return true;
}

// Gives the helpers the caller's rank, so that they are not kept waiting where it is not.
void Crew::follow_caller() {
#if defined(__linux__)
  // Asked of the system: what pthread_getschedparam once answered it answers for ever.
  const int policy = sched_getscheduler(0);
  sched_param rank{};
  if (policy < 0 || sched_getparam(0, &rank) != 0) return;
  const std::size_t number = number_.load(std::memory_order_acquire);
  if (policy == policy_ && rank.sched_priority == priority_ && number == ranked_) return;
  policy_ = policy;
  priority_ = rank.sched_priority;
  ranked_ = number;
  for (std::size_t n = 0; n < number; ++n) {
    pthread_setschedparam(helpers_[n].thread.native_handle(), policy & ~SCHED_RESET_ON_FORK, &rank);
  }
#endif
}

Crew::Shift::Shift(Crew& crew, std::size_t threads) : crew_(crew) {
  const std::size_t number = crew.number_.load(std::memory_order_acquire);
  if (threads < 2 || number == 0 || crew.taken_.exchange(true, std::memory_order_acquire)) return;
  helpers_ = std::min(threads - 1, number);
  crew.follow_caller();
  wake();
}

Crew::Shift::~Shift() {
  if (helpers_ > 0) crew_.taken_.store(false, std::memory_order_release);
}

void Crew::Shift::wake() {
  for (std::size_t n = 0; n < helpers_; ++n) {
    Helper& helper = crew_.helpers_[n];
    if (!helper.asleep.load(std::memory_order_seq_cst)) continue;
    helper.calls.fetch_add(1, std::memory_order_seq_cst);
    helper.calls.notify_one();
  }
}

void Crew::Shift::share_out(std::size_t parts, void (*part)(const void*, std::size_t), const void* context) {
  if (helpers_ == 0 || parts < 2 || parts > kPartMask) {
    for (std::size_t n = 0; n < parts; ++n) part(context, n);
    return;
  }
  crew_.part_ = part;
  crew_.context_ = context;
  crew_.done_.store(0, std::memory_order_relaxed);
  crew_.ticket_.store(job_after(crew_.ticket_.load(std::memory_order_relaxed), parts), std::memory_order_seq_cst);
  wake();
  while (crew_.take_part()) {
  }
  const auto all = static_cast<std::uint32_t>(parts);
  if (look_out([&] { return crew_.done_.load(std::memory_order_acquire) == all; })) return;
  crew_.waits_.store(true, std::memory_order_seq_cst);
  for (std::uint32_t done; (done = crew_.done_.load(std::memory_order_seq_cst)) != all;) {
    crew_.done_.wait(done, std::memory_order_seq_cst);
  }
  crew_.waits_.store(false, std::memory_order_relaxed);
}

}  // namespace synthhost
