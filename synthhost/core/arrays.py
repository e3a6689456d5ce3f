"""Array types by role."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Audio: TypeAlias = NDArray[np.float32]
"""Samples in [-1, 1], `[channels, samples]`, `[batch, samples]` or `[samples]`; the docstring says which."""

Features: TypeAlias = NDArray[np.float32]
"""Feature columns, `[bands, frames]` or `[batch, bands, frames]`."""
