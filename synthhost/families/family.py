"""What a family declares once: its shape, weights, controls and options. Everything else follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from synthhost.core.note_frames import NoteSpec
from synthhost.core.options import OptionSpec, OptionValue
from synthhost.core.params import ParamSpec
from synthhost.core.specs import MelSpec, Prior
from synthhost.streaming.playable import Playable


class Hyper(Protocol):
    """What every family's hyper-parameters can say of themselves."""

    @property
    def bands(self) -> int:
        """Feature bands the network takes: mel bands, latent dimensions, or 0 for what runs by itself."""

    @property
    def hop_samples(self) -> int:
        """Samples that one frame becomes."""

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping that the family's `hyper_from_json` reads back."""


def _as_built(network: Any, options: Mapping[str, OptionValue]) -> Playable:
    playable: Playable = network
    return playable


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of network.

    Attributes:
        name: In manifests.
        title: As its authors write it.
        hyper_from_json: Reads and checks hyper-parameters; raises ConfigError.
        build: Makes the network with fresh random weights, from what `hyper_from_json` made.
        load_weights: Fills it by published names; every tensor is used. Raises CheckpointError.
        tensor_names: Every tensor by its published name, with its shape.
        controls: What a running stream can be told, at any chunk: temperature, seed.
        options: What is decided when a voice is built: steps, schedule.
        play: Turns a filled network into what is played under the options; raises ConfigError.
        clip_frames: For networks whose sound ends by itself: how many frames a clip has.
        prior: What latent vectors are drawn from.
        notes: What networks take that play notes; None for all others.
        classes: Names of the kinds of clips that the last latent dimensions choose between.
        frames: What mel frames mean to networks that measure sound against them; None for all others.
    """

    name: str
    title: str
    hyper_from_json: Callable[[Mapping[str, Any]], Hyper]
    build: Callable[[Any], Any]
    load_weights: Callable[[Any, Mapping[str, Tensor]], None]
    tensor_names: Callable[[Any], dict[str, tuple[int, ...]]]
    controls: tuple[ParamSpec, ...] = ()
    options: tuple[OptionSpec, ...] = ()
    play: Callable[[Any, Mapping[str, OptionValue]], Playable] = _as_built
    clip_frames: Callable[[Any], int] = lambda _: 0
    prior: Callable[[Any], Prior] = lambda _: "normal"
    notes: Callable[[Any], NoteSpec | None] = lambda _: None
    classes: Callable[[Any], tuple[str, ...]] = lambda _: ()
    frames: Callable[[Any], MelSpec | None] = lambda _: None


TEMPERATURE = ParamSpec(
    "temperature",
    "",
    0.0,
    2.0,
    1.0,
    "how far chance reaches: 0 takes the likeliest, 1 is as trained",
    smoothing_ms=0.0,
)
SEED = ParamSpec(
    "seed",
    "",
    0.0,
    2.0**31 - 1,
    0.0,
    "which chance: 0 is the performance's own",
    smoothing_ms=0.0,
    kind="int",
)
