// What becomes of a vector of sums, as an `Epilogue` says. Included after lanes.hpp, inside the namespace of one level
// of processor.

inline void prefetch(const void* from) {
#if defined(__GNUC__)
  __builtin_prefetch(from);
#else
  (void)from;
#endif
}

inline void finish(Lanes y, const Epilogue& end, std::size_t outer, std::size_t inner) {
  if (end.first) y = y + load(end.first + outer * end.first_stride + inner);
  if (end.second) y = y + load(end.second + outer * end.second_stride + inner);
  if (end.scale != 1.0f) y = y * splat(end.scale);
  if (end.raw) store(end.raw + outer * end.raw_stride + inner, y);
  if (end.active) store(end.active + outer * end.active_stride + inner, larger(y, y * splat(end.slope)));
}
