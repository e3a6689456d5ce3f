"""What a network hears of itself while it learns: not quite what was recorded.

A network that is always told the recorded samples before the next one never learns what to do where its own
differ. With noise on them it comes back from where it has strayed; with a wrong level it takes its level from
what it is told, and not from itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthhost.core.errors import ConfigError
from synthhost.families.quantisation import amplitude_ids, amplitudes


@dataclass(frozen=True, slots=True)
class Straying:
    """How far what is heard strays from what was recorded.

    Attributes:
        noise: Median of the noise's levels, in ids; 0: none.
        spread: Of the levels, which differ from row to row: the standard deviation of their logarithm.
        gain_db: Standard deviation of a row's gain, in dB; 0: none.
        count: Of ids there are.
        levels: Ids 0 to `levels` stand for -1 to 1.
        companding: mu of the mu-law; 0: none.
    """

    noise: float
    spread: float
    gain_db: float
    count: int
    levels: float
    companding: float

    @classmethod
    def from_json(cls, settings: Mapping[str, Any], count: int, levels: float, companding: float) -> Straying:
        """Read a recipe's settings: `heard_noise`, `heard_noise_spread`, `heard_gain_db`.

        Raises:
            ConfigError: One of them is no number, or below 0.
        """
        plain = {"heard_noise": 0.0, "heard_noise_spread": 1.0, "heard_gain_db": 0.0}
        said = []
        for name, otherwise in plain.items():
            try:
                value = float(settings.get(name, otherwise))
            except (TypeError, ValueError) as error:
                raise ConfigError(f"settings: {name}: {type(error).__name__}: {error}.") from error
            if not 0.0 <= value < math.inf:
                raise ConfigError(f"settings: {name}: {value} is no number from 0 up.")
            said.append(value)
        return cls(said[0], said[1], said[2], count, levels, companding)

    def of(self, ids: NDArray[np.generic], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return what is heard of ids, `[batch, samples]`; chance is drawn for each row alike."""
        rows = (ids.shape[0], 1)
        heard = ids.astype(np.int64)
        if self.gain_db:
            gains = 10.0 ** (self.gain_db * rng.standard_normal(rows) / 20.0)
            louder = gains * amplitudes(heard, self.levels, self.companding)
            heard = amplitude_ids(louder, self.count, self.levels, self.companding)
        if self.noise:
            noise = self.noise * np.exp(self.spread * rng.standard_normal(rows))
            heard = heard + np.rint(noise * rng.standard_normal(ids.shape)).astype(np.int64)
        return np.asarray(np.clip(heard, 0, self.count - 1), np.int64)
