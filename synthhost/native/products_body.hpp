// The products' text, included by kernels_body.hpp inside the namespace of one level of processor.

// A panel's shape: so many sums of one vector each keep the multipliers busy. Where a panel has fewer vectors,
// several chains each sum every so-manieth input and are added in the end.
inline constexpr std::size_t kSums = 8;

template <std::size_t kWidth>
struct Shape {
  static constexpr std::size_t kTile = kWidth < kSums * kLanes ? kWidth : kSums * kLanes;
  static constexpr std::size_t kVectors = kTile / kLanes;
  static constexpr std::size_t kChains = kSums / kVectors;
};

// A panel's sums while its inputs come in.
template <std::size_t kWidth, class Weight>
struct PanelSums {
  using S = Shape<kWidth>;
  Lanes sums[S::kChains][S::kVectors] = {};

  explicit PanelSums(const float* from) {
    for (std::size_t v = 0; v < S::kVectors; ++v) sums[0][v] = load(from + v * kLanes);
  }
  void add(std::size_t chain, float input, const Weight* weights) {
    const Lanes value = splat(input);
    for (std::size_t v = 0; v < S::kVectors; ++v) {
      sums[chain][v] = sums[chain][v] + value * load(weights + v * kLanes);
    }
  }
  void finish(float* y) const {
    for (std::size_t v = 0; v < S::kVectors; ++v) {
      Lanes sum = sums[0][v];
      for (std::size_t chain = 1; chain < S::kChains; ++chain) sum = sum + sums[chain][v];
      store(y + v * kLanes, sum);
    }
  }
};

// One panel times one vector.
template <std::size_t kWidth, class Weight>
inline void panel_product(const Weight* panel, std::size_t inputs, const float* x, const float* from, float* y) {
  using S = Shape<kWidth>;
  for (std::size_t o = 0; o < kWidth; o += S::kTile) {
    PanelSums<kWidth, Weight> sums(from + o);
    const Weight* weights = panel + o;
    std::size_t i = 0;
    for (; i + S::kChains <= inputs; i += S::kChains) {
      for (std::size_t chain = 0; chain < S::kChains; ++chain, weights += kWidth) {
        sums.add(chain, x[i + chain], weights);
      }
    }
    for (; i < inputs; ++i, weights += kWidth) sums.add(0, x[i], weights);
    sums.finish(y + o);
  }
}

// The panels of a product from the output `o` on.
template <class Weight>
inline void panels_from(const Product& p, std::size_t o) {
  const Weight* weights = static_cast<const Weight*>(p.packed);
  for (; o + kPanel <= p.outputs; o += kPanel) {
    panel_product<kPanel>(weights + o * p.inputs, p.inputs, p.x, p.from + o, p.y + o);
  }
  if (o + kPanel / 2 <= p.outputs) {
    panel_product<kPanel / 2>(weights + o * p.inputs, p.inputs, p.x, p.from + o, p.y + o);
    o += kPanel / 2;
  }
  if (o < p.outputs) panel_product<kQuarterPanel>(weights + o * p.inputs, p.inputs, p.x, p.from + o, p.y + o);
}

template <class Weight>
void product(const Product& p) {
  panels_from<Weight>(p, 0);
}

// Some whole panels of one product from `o` on and one of another from `p` on, side by side, where the registers
// hold all their sums.
template <std::size_t kNear, class Weight>
inline void panels_beside(const Product& near, std::size_t o, const Product& far, std::size_t p) {
  using S = Shape<kPanel>;
  using Sums = PanelSums<kPanel, Weight>;
  const Weight* nears = static_cast<const Weight*>(near.packed) + o * near.inputs;
  const Weight* second = nears + (kNear - 1) * kPanel * near.inputs;
  const Weight* fars = static_cast<const Weight*>(far.packed) + p * far.inputs;
  Sums one(near.from + o), other(near.from + o + (kNear - 1) * kPanel), distant(far.from + p);
  const auto add = [&](std::size_t chain, std::size_t i) {
    one.add(chain, near.x[i], nears + i * kPanel);
    if constexpr (kNear == 2) other.add(chain, near.x[i], second + i * kPanel);
    distant.add(chain, far.x[i], fars + i * kPanel);
  };
  std::size_t i = 0;
  for (; i + S::kChains <= near.inputs; i += S::kChains) {
    for (std::size_t chain = 0; chain < S::kChains; ++chain) add(chain, i + chain);
  }
  for (; i < near.inputs; ++i) add(0, i);
  one.finish(near.y + o);
  if constexpr (kNear == 2) other.finish(near.y + o + kPanel);
  distant.finish(far.y + p);
}

template <class Weight>
void product_beside(const Product& near, const Product& far) {
  std::size_t o = 0, p = 0;
  if constexpr (kLanes == 16) {
    const std::size_t panels = near.outputs / kPanel, others = near.inputs == far.inputs ? far.outputs / kPanel : 0;
    const std::size_t one_by_one = 2 * others > panels ? 2 * others - panels : 0;
    for (; p + one_by_one < others && o + 2 <= panels; ++p, o += 2) {
      panels_beside<2, Weight>(near, o * kPanel, far, p * kPanel);
    }
    for (; p < others && o < panels; ++p, ++o) panels_beside<1, Weight>(near, o * kPanel, far, p * kPanel);
  }
  panels_from<Weight>(near, o * kPanel);
  panels_from<Weight>(far, p * kPanel);
}

// One panel times several vectors: the chains one after the other, each sum as above.
template <std::size_t kWidth, std::size_t kRows, class Weight>
inline void panel_products(const Weight* panel, std::size_t inputs, std::size_t output, const float* const* x,
                           const float* const* from, float* const* y) {
  constexpr std::size_t kChains = Shape<kWidth>::kChains;
  constexpr std::size_t kMost = kLanes == 16 ? 4 : 2;
  constexpr std::size_t kVectors = kWidth / kLanes < kMost ? kWidth / kLanes : kMost;
  const std::size_t whole = inputs / kChains * kChains;
  for (std::size_t o = 0; o < kWidth; o += kVectors * kLanes) {
    for (std::size_t chain = 0; chain < kChains; ++chain) {
      Lanes sums[kRows][kVectors] = {};
      if (chain == 0) {
        for (std::size_t row = 0; row < kRows; ++row) {
          for (std::size_t v = 0; v < kVectors; ++v) sums[row][v] = load(from[row] + output + o + v * kLanes);
        }
      }
      const auto add = [&](std::size_t i) {
        Lanes column[kVectors];
        for (std::size_t v = 0; v < kVectors; ++v) column[v] = load(panel + i * kWidth + o + v * kLanes);
        for (std::size_t row = 0; row < kRows; ++row) {
          const Lanes value = splat(x[row][i]);
          for (std::size_t v = 0; v < kVectors; ++v) sums[row][v] = sums[row][v] + value * column[v];
        }
      };
      for (std::size_t i = chain; i < whole; i += kChains) add(i);
      for (std::size_t i = whole; chain == 0 && i < inputs; ++i) add(i);
      for (std::size_t row = 0; row < kRows; ++row) {
        float* to = y[row] + output + o;
        for (std::size_t v = 0; v < kVectors; ++v) {
          store(to + v * kLanes, chain == 0 ? sums[row][v] : load(to + v * kLanes) + sums[row][v]);
        }
      }
    }
  }
}

// The same of so many vectors, at most kRows.
template <std::size_t kWidth, std::size_t kRows, class Weight>
inline void some_products(const Weight* panel, std::size_t inputs, std::size_t output, const float* const* x,
                          const float* const* from, float* const* y, std::size_t rows) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return some_products<kWidth, kRows - 1>(panel, inputs, output, x, from, y, rows);
  }
  panel_products<kWidth, kRows>(panel, inputs, output, x, from, y);
}

// One panel times all vectors, nearly equally many at once: as many as the registers have room for their sums.
template <std::size_t kWidth, class Weight>
inline void panel_of_all(const Weight* panel, std::size_t inputs, std::size_t output, const float* const* x,
                         const float* const* from, float* const* y, std::size_t count) {
  constexpr std::size_t kMost = 6;
  const std::size_t tiles = (count + kMost - 1) / kMost;
  for (std::size_t n = 0, row = 0; n < tiles; ++n) {
    const std::size_t rows = (count - row + tiles - n - 1) / (tiles - n);
    some_products<kWidth, kMost>(panel, inputs, output, x + row, from + row, y + row, rows);
    row += rows;
  }
}

template <class Weight>
void products(const void* packed, std::size_t inputs, std::size_t outputs, const float* const* x,
              const float* const* from, float* const* y, std::size_t count) {
  const Weight* weights = static_cast<const Weight*>(packed);
  std::size_t o = 0;
  for (; o + kPanel <= outputs; o += kPanel) {
    panel_of_all<kPanel>(weights + o * inputs, inputs, o, x, from, y, count);
  }
  if (o + kPanel / 2 <= outputs) {
    panel_of_all<kPanel / 2>(weights + o * inputs, inputs, o, x, from, y, count);
    o += kPanel / 2;
  }
  if (o < outputs) panel_of_all<kQuarterPanel>(weights + o * inputs, inputs, o, x, from, y, count);
}

template <class Weight>
void sum_of_rows(const void* table, const std::size_t* rows, std::size_t count, std::size_t width, float* y) {
  const Weight* weights = static_cast<const Weight*>(table);
  for (std::size_t o = 0; o < width; o += kLanes) {
    Lanes sum = {};
    for (std::size_t n = 0; n < count; ++n) sum = sum + load(weights + rows[n] * width + o);
    store(y + o, sum);
  }
}

template <class Weight>
constexpr WeightKernels kWeightKernels = {product<Weight>, product_beside<Weight>, products<Weight>,
                                          sum_of_rows<Weight>};
