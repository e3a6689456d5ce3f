"""DiffWave's hyper-parameters, named as lmnt-com/diffwave names them and checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

from synthhost.core.errors import ConfigError
from synthhost.families.emphasis import Emphasis
from synthhost.families.hyper_reader import HyperReader
from synthhost.families.noise_schedule import Betas, Schedules, betas_as_json, betas_from_json
from synthhost.families.note_input import NoteInput, check_frames, notes_from_json

Variant = Literal["lmnt", "philsyn"]

UPSAMPLING = 16  # of each of the two stages that bring mel frames to samples
CONDITIONAL_HOP_SAMPLES = UPSAMPLING * UPSAMPLING

_BASE_FAST: Betas = (1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.5)  # Kong and others 2021, for BASE
_LARGE_FAST: Betas = (1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.7)  # and for LARGE
_MAX_CHANNELS = 4096
_MAX_BANDS = 1024
_MAX_HOP_SAMPLES = 4096
_MAX_LAYERS = 128
_MAX_CYCLE = 16
_MAX_PARAMETERS = 1 << 29


@dataclass(frozen=True, slots=True)
class DiffwaveHyper:
    """The shape of one DiffWave.

    Attributes:
        variant: Which implementation it is of. "philsyn" (DiffWave-unconditional) adds the embedded step in
            place, so that the residual path carries it on; takes tanh of the first half at gates and not of
            the second; embeds steps at other frequencies; works its schedule out in float32; clamps nothing.
        bands: Of the mel frames; 0: it runs by itself.
        hop_samples: Samples that one frame becomes; 256 with mel frames.
        residual_channels: Of the residual path.
        skip_channels: Of what the layers give out.
        residual_layers: How many.
        dilation_cycle_length: After how many layers dilations begin again at 1; they double until then.
        step_channels: Of the embedded step before, between and after its two layers.
        training_betas: The schedule it was trained with.
        fast_betas: A short schedule that was published with it, or none.
        notes: What is made of frames of notes; such a network looks at nothing ahead. None: it plays none.
        emphasis: How the sound was changed that it learned; then nothing is clamped. None: it was not.

    Raises:
        ConfigError: The values describe no network that can be built.
    """

    variant: Variant
    bands: int
    hop_samples: int
    residual_channels: int
    skip_channels: int
    residual_layers: int
    dilation_cycle_length: int
    step_channels: tuple[int, int, int]
    training_betas: Betas
    fast_betas: Betas = ()
    notes: NoteInput | None = None
    emphasis: Emphasis | None = None

    def __post_init__(self) -> None:
        if self.bands and self.variant == "philsyn":
            raise ConfigError("DiffWave bands: a network of philsyn's takes no mel frames here; give 0.")
        if self.notes is not None:
            check_frames("DiffWave", self.notes, self.bands, self.hop_samples)
        elif self.bands and self.hop_samples != CONDITIONAL_HOP_SAMPLES:
            raise ConfigError(
                f"DiffWave hop_samples: {self.hop_samples}, but mel frames become {CONDITIONAL_HOP_SAMPLES} "
                "samples each in every network of this kind."
            )
        if self.emphasis is not None and self.variant != "lmnt":
            raise ConfigError("DiffWave emphasis: only the variant lmnt has any.")
        if self.step_channels[0] % 2 or self.step_channels[0] < 4:
            raise ConfigError(
                f"DiffWave step_channels: {self.step_channels[0]} sines and cosines; give an even number."
            )
        if self.parameters > _MAX_PARAMETERS:
            raise ConfigError(
                f"DiffWave: layers and channels make {self.parameters} numbers together; the most is "
                f"{_MAX_PARAMETERS}. Make one of them smaller."
            )

    @property
    def parameters(self) -> int:
        """How many numbers the network has, biases left aside."""
        width, skip, told = self.residual_channels, self.skip_channels, self.step_channels
        layer = width * (6 * width + 2 * self.conditions + width + skip + told[2])
        return self.residual_layers * layer + skip * skip + told[0] * told[1] + told[1] * told[2]

    @property
    def conditions(self) -> int:
        """Channels of what conditions a sample."""
        return self.bands if self.notes is None else self.notes.channels

    @property
    def receptive_samples(self) -> int:
        """Samples that one sample of one step depends on."""
        return 2 * sum(self.dilation(layer) for layer in range(self.residual_layers)) + 1

    @property
    def schedules(self) -> Schedules:
        """The schedules that are known of it."""
        return Schedules(self.training_betas, self.fast_betas, (_BASE_FAST, _LARGE_FAST))

    def dilation(self, layer: int) -> int:
        """Return how far apart the taps of a layer are, in samples."""
        return 1 << layer % self.dilation_cycle_length

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping that `from_json` reads back."""
        plain = {key: value for key, value in asdict(self).items() if value is not None}
        return {
            **plain,
            "step_channels": list(self.step_channels),
            "training_betas": betas_as_json(self.training_betas),
            "fast_betas": list(self.fast_betas),
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> DiffwaveHyper:
        """Read a manifest's hyper-parameters.

        Raises:
            ConfigError: A key is missing or its value cannot be used.
        """
        values = HyperReader("DiffWave", plain)
        told = values.wholes("step_channels", 3, 1, _MAX_CHANNELS)
        if len(told) != 3:
            raise ConfigError(f"DiffWave step_channels: {list(told)}; give three numbers.")
        training, fast = plain.get("training_betas"), plain.get("fast_betas") or []
        return cls(
            variant=cast(Variant, values.word("variant", ("lmnt", "philsyn"), "")),
            bands=values.whole("bands", 0, _MAX_BANDS),
            hop_samples=values.whole("hop_samples", 1, _MAX_HOP_SAMPLES),
            residual_channels=values.whole("residual_channels", 1, _MAX_CHANNELS),
            skip_channels=values.whole("skip_channels", 1, _MAX_CHANNELS),
            residual_layers=values.whole("residual_layers", 1, _MAX_LAYERS),
            dilation_cycle_length=values.whole("dilation_cycle_length", 1, _MAX_CYCLE),
            step_channels=(told[0], told[1], told[2]),
            training_betas=betas_from_json(training, "DiffWave training_betas"),
            fast_betas=betas_from_json(fast, "DiffWave fast_betas") if fast else (),
            notes=notes_from_json(plain),
            emphasis=Emphasis.from_json(plain, "DiffWave"),
        )


def free_hop_samples(clip_samples: int, most: int = 64) -> int:
    """Return the longest hop up to `most` of which the clips a network was trained on are whole multiples."""
    return next(hop for hop in range(most, 0, -1) if clip_samples % hop == 0)
