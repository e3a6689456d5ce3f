"""What a network hears while it learns, where it will hear itself: not quite what was recorded.

A network that is always told the recorded samples before the next one never learns what to do where its own
differ. With noise on them it comes back from where it has strayed; with a wrong level it takes its level from
what it is told, and not from itself; with a constant added it doesn't lean to one side.
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
        noise: Median of the noise's levels at the begin, in ids; 0: none.
        noise_to: The same at the end; between them it moves evenly in decibels.
        spread: Of the levels, which differ from row to row: the standard deviation of their logarithm.
        gain_db: Standard deviation of a row's gain, in dB; 0: none.
        offset: The same of a constant added to a row, as a share of its root mean square; 0: none.
        count: Of ids there are.
        levels: Ids 0 to `levels` stand for -1 to 1.
        companding: mu of the mu-law; 0: none.
    """

    noise: float
    noise_to: float
    spread: float
    gain_db: float
    offset: float
    count: int
    levels: float
    companding: float

    @classmethod
    def from_json(cls, settings: Mapping[str, Any], count: int, levels: float, companding: float) -> Straying:
        """Read a recipe's settings.

        They are `heard_noise`, `heard_noise_to` (as that, where it is left out), `heard_noise_spread`,
        `heard_gain_db` and `heard_offset`.

        Raises:
            ConfigError: One of them is no number or below 0, or noise begins or ends at 0 and not both.
        """
        noise = _number(settings, "heard_noise", 0.0)
        noise_to = _number(settings, "heard_noise_to", noise)
        if min(noise, noise_to) == 0.0 < max(noise, noise_to):
            raise ConfigError("settings: heard_noise_to: noise moves in decibels, so never from or to 0.")
        spread = _number(settings, "heard_noise_spread", 1.0)
        gain_db = _number(settings, "heard_gain_db", 0.0)
        offset = _number(settings, "heard_offset", 0.0)
        return cls(noise, noise_to, spread, gain_db, offset, count, levels, companding)

    def of(self, ids: NDArray[np.generic], rng: np.random.Generator, part: float) -> NDArray[np.int64]:
        """Return what is heard of ids, `[batch, samples]`.

        Args:
            ids: They.
            rng: Chance; every row draws its own gain, constant and level of noise.
            part: Of the training that has passed, 0 to 1.
        """
        rows = (ids.shape[0], 1)
        heard = ids.astype(np.int64)
        if self.gain_db or self.offset:
            sound = amplitudes(heard, self.levels, self.companding)
            if self.gain_db:
                sound = sound * 10.0 ** (self.gain_db * rng.standard_normal(rows) / 20.0)
            if self.offset:
                level = np.sqrt(np.mean(sound * sound, 1, keepdims=True))
                sound = sound + self.offset * level * rng.standard_normal(rows)
            heard = amplitude_ids(sound, self.count, self.levels, self.companding)
        if self.noise:
            median = self.noise * (self.noise_to / self.noise) ** part
            levels = median * np.exp(self.spread * rng.standard_normal(rows))
            heard = heard + np.rint(levels * rng.standard_normal(ids.shape)).astype(np.int64)
        return np.asarray(np.clip(heard, 0, self.count - 1), np.int64)


def _number(settings: Mapping[str, Any], name: str, otherwise: float) -> float:
    try:
        value = float(settings.get(name, otherwise))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"settings: {name}: {type(error).__name__}: {error}.") from error
    if not 0.0 <= value < math.inf:
        raise ConfigError(f"settings: {name}: {value} is no number from 0 up.")
    return value
