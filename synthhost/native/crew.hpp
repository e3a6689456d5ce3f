// Threads that lend a hand: at most one for every processor core but the caller's, shared by all plans.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

namespace synthhost {

// Work cut into parts that any thread may do, each once, in any order. Whoever comes takes the next part, so a
// helper that the system keeps away delays nobody: the caller does what is left, and waits only for parts that
// are being done. Helpers look out for more work for a moment, then they sleep.
class Crew {
 public:
  // The crew of the process; it has no helpers until someone asks for them.
  static Crew& of_process();

  // Sees to it that so many threads can work together, the caller among them, but no more than there are cores.
  // Returns how many can. One thread at a time may ask.
  std::size_t grow(std::size_t threads);

  // Calls helpers for one run. While another thread has them, the caller works alone.
  class Shift {
   public:
    Shift(Crew& crew, std::size_t threads);
    ~Shift();
    Shift(const Shift&) = delete;
    Shift& operator=(const Shift&) = delete;

    std::size_t threads() const { return helpers_ + 1; }  // at most, the caller's among them

    // Calls `part(n)` for every n below `parts`; returns when all have returned.
    template <class Part>
    void share(std::size_t parts, const Part& part) {
      const auto call = [](const void* context, std::size_t n) { (*static_cast<const Part*>(context))(n); };
      share_out(parts, call, &part);
    }

   private:
    void share_out(std::size_t parts, void (*part)(const void*, std::size_t), const void* context);
    void wake();

    Crew& crew_;
    std::size_t helpers_ = 0;
  };

 private:
  struct Helper {
    std::atomic<std::uint32_t> calls{0};
    std::atomic<bool> asleep{false};
    std::thread thread;
  };

  Crew();
  void help(Helper& self);
  bool has_part() const;
  bool take_part();
  void follow_caller();

  // The job's number, its parts and the next part in one word: whoever finds a part there and takes it knows
  // that the job has not ended, and may read the rest.
  std::atomic<std::uint64_t> ticket_{0};
  void (*part_)(const void*, std::size_t) = nullptr;
  const void* context_ = nullptr;
  std::atomic<std::uint32_t> done_{0};
  std::atomic<bool> waits_{false};  // the caller sleeps until all parts are done
  std::atomic<bool> taken_{false};  // a shift is under way
  int policy_ = 0, priority_ = 0;   // the rank the helpers have; whoever took the shift writes it
  std::size_t ranked_ = 0;          // how many helpers have it
  const std::size_t most_;
  const std::unique_ptr<Helper[]> helpers_;
  std::atomic<std::size_t> number_{0};  // of helpers there are
};

}  // namespace synthhost
