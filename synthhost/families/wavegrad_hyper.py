"""WaveGrad's hyper-parameters, checked once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from synthhost.core.errors import ConfigError
from synthhost.families.emphasis import Emphasis
from synthhost.families.hyper_reader import HyperReader
from synthhost.families.noise_schedule import Betas, Schedules, betas_as_json, betas_from_json
from synthhost.families.note_input import WAVES, NoteInput, check_frames, notes_from_json
from synthhost.streaming.interpolation import Mode

Variant = Literal["lmnt", "ivanvovk"]
Finds = Literal["noise", "sound"]
NOISE: Finds = "noise"
SOUND: Finds = "sound"

UP_CONVOLUTIONS = 4  # of an upsampling block, beside its shortcut

# The schedules that ivanvovk/WaveGrad found by search and ships.
_SIX: Betas = (1e-6, 1.892873e-05, 0.00011943212, 0.0010047548, 0.0110942535, 0.06)
_SEVEN: Betas = (1e-6, 5e-6, 1.8929e-05, 1e-4, 1e-3, 0.0111, 0.06)
_TWELVE: Betas = (
    *(1e-6, 6.9303915e-06, 5.3367025e-06, 3.6985395e-05, 0.00017088217, 0.0003947601),
    *(0.0013679202, 0.0028089532, 0.003244524, 0.014990547, 0.008657524, 0.060000017),
)
_MAX_CHANNELS = 4096
_MAX_BANDS = 1024
_MAX_FACTOR = 64
_MAX_STAGES = 8
_MAX_DILATION = 1024
_MAX_CONVOLUTIONS = 16  # of a stage
_MAX_HOP_SAMPLES = 4096
_MAX_PARAMETERS = 1 << 29


@dataclass(frozen=True, slots=True)
class WavegradHyper:
    """The shape of one WaveGrad.

    Attributes:
        variant: Which implementation it is of. "lmnt" repeats and drops samples where rates change, and holds
            the sound within -1 to 1 after every step; "ivanvovk" interpolates, tells the network its level
            times 5000, works its schedule out in float32 and holds an estimate of the clean sound instead.
        bands: Of the mel frames.
        factors: By which each stage raises the rate, from frames to samples; the way down takes them back.
        mel_channels: What frames become before the first stage.
        up_channels: Of each stage up.
        up_dilations: Of the four convolutions of each stage up.
        down_channels: What the noisy sound becomes at first, and of each stage down.
        down_dilations: Of the convolutions of each stage down.
        training_betas: The schedule it was trained with.
        fast_betas: A short schedule of its own, which stands for the published ones; or none.
        notes: What is made of frames of notes; such a network looks at nothing ahead. None: it plays none.
        emphasis: How the sound was changed that it learned; then nothing is clamped. None: it was not.
        finds: "noise", as published, or the clean "sound" (x-prediction, Salimans and Ho 2022).

    Raises:
        ConfigError: The values describe no network that can be built.
    """

    variant: Variant
    bands: int
    factors: tuple[int, ...]
    mel_channels: int
    up_channels: tuple[int, ...]
    up_dilations: tuple[tuple[int, ...], ...]
    down_channels: tuple[int, ...]
    down_dilations: tuple[tuple[int, ...], ...]
    training_betas: Betas
    fast_betas: Betas = ()
    notes: NoteInput | None = None
    emphasis: Emphasis | None = None
    finds: Finds = NOISE

    def __post_init__(self) -> None:
        stages = len(self.factors)
        if not 1 <= stages <= _MAX_STAGES:
            raise ConfigError(f"WaveGrad factors: {stages} stages; give 1 to {_MAX_STAGES}.")
        wanted = {
            "up_channels": (self.up_channels, stages),
            "up_dilations": (self.up_dilations, stages),
            "down_channels": (self.down_channels, stages),
            "down_dilations": (self.down_dilations, stages - 1),
        }
        for key, (values, count) in wanted.items():
            if len(values) != count:
                raise ConfigError(f"WaveGrad {key}: {len(values)} for {stages} factors; give {count}.")
        if any(len(row) != UP_CONVOLUTIONS for row in self.up_dilations):
            raise ConfigError(f"WaveGrad up_dilations: give {UP_CONVOLUTIONS} numbers for every stage.")
        if any(channels % 2 for channels in self.down_channels):
            raise ConfigError(
                f"WaveGrad down_channels: {list(self.down_channels)}; half of them are told sines, half "
                "cosines, so give even numbers."
            )
        self._check_size()
        if self.notes is not None:
            check_frames("WaveGrad", self.notes, self.bands, self.hop_samples)
            if self.variant != "lmnt":
                raise ConfigError("WaveGrad notes: only the variant lmnt plays them.")
        if self.emphasis is not None and self.variant != "lmnt":
            raise ConfigError("WaveGrad emphasis: only the variant lmnt has any.")
        if self.finds != NOISE and self.variant != "lmnt":
            raise ConfigError(f"WaveGrad finds: only the variant lmnt finds the {self.finds}.")

    @property
    def conditions(self) -> int:
        """Channels that a frame has where the way up begins."""
        return self.bands if self.notes is None else self.notes.width

    @property
    def inputs(self) -> int:
        """Channels that the way down begins with: the noisy sound, and an excitation where there is one."""
        return 1 if self.notes is None else 1 + WAVES

    @property
    def hop_samples(self) -> int:
        """Samples that one frame becomes."""
        return math.prod(self.factors)

    @property
    def mode(self) -> Mode:
        """How rates are changed."""
        return "nearest" if self.variant == "lmnt" else "linear"

    @property
    def level_scale(self) -> float:
        """What the level is multiplied by before it is told."""
        return 1.0 if self.variant == "lmnt" else 5000.0

    @property
    def down_factors(self) -> tuple[int, ...]:
        """By which each stage down lowers the rate."""
        return self.factors[:0:-1]

    @property
    def receptive_samples(self) -> int:
        """Samples that one sample of one step depends on, at most."""
        reach, rate = 4, 1
        for factor, row in zip(self.down_factors, self.down_dilations, strict=False):
            rate *= factor
            reach += rate * (2 * sum(row) + 4)
        for factor, row in zip(self.factors, self.up_dilations, strict=True):
            reach += rate * (2 * sum(row) + 4)
            rate = max(rate // factor, 1)
        return reach

    @property
    def schedules(self) -> Schedules:
        """The schedules that are known of it."""
        published = () if self.fast_betas else (_SIX, _SEVEN, _TWELVE, _twenty_five())
        return Schedules(self.training_betas, self.fast_betas, published)

    @property
    def parameters(self) -> int:
        """How many numbers the network has, biases left aside."""
        ups = zip((self.mel_channels, *self.up_channels), self.up_channels, strict=False)
        downs = zip(self.down_channels, self.down_channels[1:], self.down_dilations, strict=False)
        films = zip(self.down_channels, reversed(self.up_channels), strict=True)
        return (
            3 * self.conditions * self.mel_channels
            + sum(4 * before * after + 9 * after * after for before, after in ups)
            + sum(after * (4 * before + 3 * after * (len(row) - 1)) for before, after, row in downs)
            + sum(3 * before * (before + 2 * after) for before, after in films)
        )

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping that `from_json` reads back."""
        own = {"notes": self.notes, "emphasis": self.emphasis}
        return {
            **{name: one.as_json() for name, one in own.items() if one is not None},
            "variant": self.variant,
            "bands": self.bands,
            "factors": list(self.factors),
            "mel_channels": self.mel_channels,
            "up_channels": list(self.up_channels),
            "up_dilations": [list(row) for row in self.up_dilations],
            "down_channels": list(self.down_channels),
            "down_dilations": [list(row) for row in self.down_dilations],
            "training_betas": betas_as_json(self.training_betas),
            **({"fast_betas": list(self.fast_betas)} if self.fast_betas else {}),
            **({} if self.finds == NOISE else {"finds": self.finds}),
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> WavegradHyper:
        """Read a manifest's hyper-parameters.

        Raises:
            ConfigError: A key is missing or its value cannot be used.
        """
        values, fast = HyperReader("WaveGrad", plain), plain.get("fast_betas") or []
        return cls(
            variant=cast(Variant, values.word("variant", ("lmnt", "ivanvovk"), "")),
            bands=values.whole("bands", 1, _MAX_BANDS),
            factors=values.wholes("factors", _MAX_STAGES, 1, _MAX_FACTOR),
            mel_channels=values.whole("mel_channels", 1, _MAX_CHANNELS),
            up_channels=values.wholes("up_channels", _MAX_STAGES, 1, _MAX_CHANNELS),
            up_dilations=_dilations(plain, "up_dilations"),
            down_channels=values.wholes("down_channels", _MAX_STAGES, 1, _MAX_CHANNELS),
            down_dilations=_dilations(plain, "down_dilations"),
            training_betas=betas_from_json(plain.get("training_betas"), "WaveGrad training_betas"),
            fast_betas=betas_from_json(fast, "WaveGrad fast_betas") if fast else (),
            notes=notes_from_json(plain),
            emphasis=Emphasis.from_json(plain, "WaveGrad"),
            finds=cast(Finds, values.word("finds", (NOISE, SOUND), NOISE)),
        )

    def _check_size(self) -> None:
        if self.hop_samples > _MAX_HOP_SAMPLES:
            raise ConfigError(
                f"WaveGrad factors: {self.hop_samples} samples a frame; the most is {_MAX_HOP_SAMPLES}."
            )
        if self.parameters > _MAX_PARAMETERS:
            raise ConfigError(
                f"WaveGrad: stages and channels make {self.parameters} numbers together; the most is "
                f"{_MAX_PARAMETERS}. Make one of them smaller."
            )


def _dilations(plain: Mapping[str, Any], key: str) -> tuple[tuple[int, ...], ...]:
    """Return one row of dilations for every stage."""
    rows = plain.get(key)
    if not isinstance(rows, list | tuple) or len(rows) > _MAX_STAGES:
        raise ConfigError(f"WaveGrad {key}: expected one list of dilations for every stage.")
    return tuple(
        HyperReader("WaveGrad", {key: row}).wholes(key, _MAX_CONVOLUTIONS, 1, _MAX_DILATION) for row in rows
    )


def _twenty_five() -> Betas:
    """Return Fibonacci's numbers, in millionths."""
    numbers = [1, 2]
    while len(numbers) < 25:
        numbers.append(numbers[-1] + numbers[-2])
    return tuple(number * 1e-6 for number in numbers)
