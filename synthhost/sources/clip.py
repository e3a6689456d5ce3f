"""The source of clips: how triggered sounds are played, and the latent vectors they are made of.

A note's key has a vector of its own, so that a key is an instrument; a trigger without a key takes the next
vector of a sequence. Both are drawn from the prior the model was trained on, by seed and place: never by the
order of calls.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Features
from synthhost.core.draws import SeededDraws
from synthhost.core.drum_map import class_of_key
from synthhost.core.errors import SourceError
from synthhost.core.noise import hashes, normals, uniforms
from synthhost.core.params import ParamSpec
from synthhost.core.specs import ModelSpec
from synthhost.sources.latent import MOST_DIMENSIONS, dimension

CLIP_PARAMS: tuple[ParamSpec, ...] = (
    ParamSpec(
        "voices", "", 1.0, 16.0, 8.0,
        "how many clips sound at once; one more takes the place of the oldest",
        smoothing_ms=0.0, kind="int",
    ),
    ParamSpec(
        "choke", "", 0.0, 2.0, 0.0,
        "what a new clip silences: 0 its choke group alone, 1 earlier clips of its key too, 2 every clip",
        smoothing_ms=0.0, kind="int",
    ),
    ParamSpec(
        "choke_ms", "ms", 1.0, 1000.0, 10.0,
        "how long a silenced clip fades",
        smoothing_ms=0.0,
    ),
    ParamSpec(
        "release_ms", "ms", 0.0, 5000.0, 0.0,
        "how long a clip fades after its note's end; 0 lets it play to its own end",
        smoothing_ms=0.0,
    ),
    ParamSpec(
        "reach", "", 0.0, 2.0, 1.0,
        "how far from the middle vectors are drawn; 1 is as trained",
        smoothing_ms=0.0,
    ),
    ParamSpec(
        "variation", "", 0.0, 1.0, 0.0,
        "how far each hit of a key strays from the key's own sound; at 1 every hit is new",
        smoothing_ms=0.0,
    ),
    ParamSpec(
        "morph", "", 0.0, 1.0, 0.0,
        "from each clip's own vector to the one of latent.0, latent.1 ..., also while clips sound",
        smoothing_ms=0.0,
    ),
    ParamSpec(
        "seed", "", 0.0, 2.0**31 - 1, 0.0,
        "which chance: 0 is the performance's own",
        smoothing_ms=0.0, kind="int",
    ),
)  # fmt: skip
"""What every source of clips has beside its dimensions."""

_KEY_STEPS = 1024  # of a fractional key that are told apart
_PLAIN_KEY = 36.0  # of a trigger that brings none
_TRIGGERS, _KEYS, _CHANCE = 0, 1, 4  # random streams; each of the first two takes a pair


class ClipSource:
    """Draws the vectors of clips and bends them to the hand's.

    Raises:
        SourceError: The model makes no clips, or of vectors too long to be played.
    """

    kind = "clip"

    def __init__(self, spec: ModelSpec, seed: int = 0) -> None:
        if not spec.clip_frames or spec.mel is not None or spec.bands > MOST_DIMENSIONS:
            raise SourceError(
                f"{spec.name} makes no clips of a latent vector of up to {MOST_DIMENSIONS} dimensions. "
                "Give it another source."
            )
        self._classes = spec.classes
        dimensions = spec.bands - len(spec.classes)
        hand = (replace(dimension(index), smoothing_ms=0.0) for index in range(dimensions))
        self.params = (*CLIP_PARAMS, *_class_params(spec.classes), *hand)
        self._values = {param.name: param.default for param in self.params}
        self._dimensions = {f"latent.{index}": index for index in range(dimensions)}
        self._hand = np.zeros(dimensions, dtype=np.float32)
        self._prior = spec.prior
        self._own_seed = seed

    def set_param(self, name: str, value: float) -> None:
        """Stand a parameter at a value: it holds for what begins or is computed next. [render thread]"""
        self._values[name] = value
        place = self._dimensions.get(name)
        if place is not None:
            self._hand[place] = value

    def jump_param(self, name: str, value: float) -> None:
        """Stand a parameter at a value."""
        self.set_param(name, value)

    def value(self, name: str) -> float:
        """Return where a parameter stands. [render thread]"""
        return self._values[name]

    def vector(self, number: int, key: float | None) -> Features:
        """Return the vector of a clip, `[bands]`: the key's, varied, or the next of the sequence.

        Args:
            number: How many clips the voice began before.
            key: Of the note, or None.

        [render thread]
        """
        varied = 1.0 if key is None else self._values["variation"]
        drawn = np.zeros(self._hand.shape[0])
        if key is not None and varied < 1.0:
            drawn += (1.0 - varied) * self._drawn(_KEYS, _key_index(key))
        if varied > 0.0:
            drawn += varied * self._drawn(_TRIGGERS, number)
        return self.completed((self._values["reach"] * drawn).astype(np.float32), key)

    def completed(self, vector: Features, key: float | None) -> Features:
        """Return a latent vector, `[dimensions]`, with the class of its clip, `[bands]`. [render thread]"""
        count = len(self._classes)
        if not count:
            return vector
        chosen = self._values["class"]
        if chosen < 0.0:
            chosen = float(class_of_key(_PLAIN_KEY if key is None else key, self._classes))
        weights = np.maximum(1.0 - np.abs(np.arange(count) - chosen), 0.0)
        return np.concatenate((vector, weights.astype(np.float32)))

    def draws(self, number: int, key: float | None) -> SeededDraws:
        """Return the chance of a clip whose model draws: the key's, or its own where keys vary.

        [render thread]
        """
        same = key is not None and self._values["variation"] == 0.0
        stream, index = (_CHANCE + 1, _key_index(key or 0.0)) if same else (_CHANCE, number)
        return SeededDraws.of(int(hashes(self._seed, stream, index, 1)[0]))

    def write(self, own: Features, out: Features) -> None:
        """Write frames of a clip, `[dimensions, frames]`, from its own vector. [render thread]"""
        morph, size = np.float32(self._values["morph"]), self._hand.shape[0]
        out[:] = own[:, None]
        if morph:
            out[:size] += (morph * (self._hand - own[:size]))[:, None]

    def next_frames(self, out: Features) -> None:
        """Write the hand's vector, `[bands, frames]`. [render thread]"""
        out[:] = self.completed(self._hand, None)[:, None]

    def push(self, index: int | None, frames: Features) -> None:
        """Ignore frames from outside. [render thread]"""

    def counters(self) -> dict[str, int]:
        """Return nothing: nothing can go wrong."""
        return {}

    @property
    def _seed(self) -> int:
        return int(self._values["seed"]) or self._own_seed

    def _drawn(self, stream: int, index: int) -> NDArray[np.float64]:
        """Return one vector of a sequence, `[dimensions]`, as the prior says."""
        dimensions = self._hand.shape[0]
        first = index * dimensions
        if self._prior == "uniform":
            return 2.0 * uniforms(self._seed, stream, first, dimensions) - 1.0
        return normals(self._seed, stream, first, dimensions)


def _class_params(classes: tuple[str, ...]) -> tuple[ParamSpec, ...]:
    """Return the parameter that chooses a class, where there are any."""
    if not classes:
        return ()
    named = ", ".join(f"{index} {name}" for index, name in enumerate(classes))
    about = f"{named}; between two, some of both; -1: as the key says, by General MIDI's drum map"
    return (ParamSpec("class", "", -1.0, len(classes) - 1.0, -1.0, about, smoothing_ms=0.0),)


def _key_index(key: float) -> int:
    return round(key * _KEY_STEPS)
