// One vector of SYNTHHOST_LANES floats. Included inside the namespace of one level of processor, after its
// macros are set; nothing here may come from the standard library's templates.

#if defined(__GNUC__)  // GCC and Clang: arithmetic on vectors is part of the language
typedef float Lanes __attribute__((vector_size(4 * SYNTHHOST_LANES)));
inline Lanes splat(float value) { return value - Lanes{}; }  // 0 + value would add: of -0.0 it makes 0.0
inline Lanes larger(Lanes a, Lanes b) { return a > b ? a : b; }
#else
struct Lanes {
  float of[SYNTHHOST_LANES];
};
inline Lanes splat(float value) {
  Lanes made;
  for (float& one : made.of) one = value;
  return made;
}
inline Lanes operator*(Lanes a, const Lanes& b) {
  for (std::size_t i = 0; i < SYNTHHOST_LANES; ++i) a.of[i] *= b.of[i];
  return a;
}
inline Lanes operator+(Lanes a, const Lanes& b) {
  for (std::size_t i = 0; i < SYNTHHOST_LANES; ++i) a.of[i] += b.of[i];
  return a;
}
inline Lanes larger(Lanes a, const Lanes& b) {
  for (std::size_t i = 0; i < SYNTHHOST_LANES; ++i) a.of[i] = a.of[i] > b.of[i] ? a.of[i] : b.of[i];
  return a;
}
#endif

inline Lanes load(const float* from) {
  Lanes loaded;
  std::memcpy(&loaded, from, sizeof loaded);
  return loaded;
}

inline void store(float* to, const Lanes& lanes) { std::memcpy(to, &lanes, sizeof lanes); }
