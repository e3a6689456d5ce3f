"""How published front ends make their mel frames, one row each; the convention is part of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from synthhost.core.errors import FeatureError, suggestion
from synthhost.core.specs import MelSpec


@dataclass(frozen=True, slots=True)
class MelConvention:
    """What a front end does that the numbers of a `MelSpec` do not say.

    Attributes:
        published: The numbers it was published with; a model brings its own.
        edge: How many samples are mirrored at each end: "hop" is (n_fft - hop) / 2, so that there are as many
            frames as whole hops; "centred" is n_fft / 2, which makes one more.
        power: Of the magnitude that the bands sum: 1, or 2 for energy.
        epsilon: Added to the energy of every bin.
        unit_window: Whether the window is scaled to an energy of 1.
        scale: The mel scale the bands are spread on.
        equal_area: Whether wider bands are lower, so that all have the same area; else all peak at 1.
        gain: What the logarithm is multiplied by.
        offset: Added after that.
        clip: What values are held between in the end.
        nothing_reads: What a band of exactly nothing reads; None: what the spec's floor reads.
        drops_last: Whether the last frame is left out.
    """

    published: MelSpec
    edge: Literal["hop", "centred"] = "centred"
    power: Literal[1, 2] = 1
    epsilon: float = 0.0
    unit_window: bool = False
    scale: Literal["slaney", "htk"] = "slaney"
    equal_area: bool = True
    gain: float = 1.0
    offset: float = 0.0
    clip: tuple[float, float] | None = None
    nothing_reads: float | None = None
    drops_last: bool = False


MEL_CONVENTIONS: Mapping[str, MelConvention] = MappingProxyType(
    {
        # HiFi-GAN, Kong and others 2020
        "jik876": MelConvention(
            MelSpec("jik876", 22050, 1024, 256, 1024, 80, 0.0, 8000.0, "ln", 1e-5),
            edge="hop",
            epsilon=1e-9,  # silence is 3.2e-5 a bin, not 0
        ),
        # MelGAN, Kumar and others 2019
        "descriptinc": MelConvention(
            MelSpec("descriptinc", 22050, 1024, 256, 1024, 80, 0.0, 11025.0, "log10", 1e-5),
            edge="hop",
        ),
        # MelGAN of seungwonpark/melgan
        "seungwonpark": MelConvention(
            MelSpec("seungwonpark", 22050, 1024, 256, 1024, 80, 0.0, 8000.0, "ln", 1e-5),
        ),
        # Tacotron 2, and the vocoders made for it
        "tacotron2": MelConvention(
            MelSpec("tacotron2", 22050, 1024, 256, 1024, 80, 0.0, 8000.0, "ln", 1e-5),
        ),
        # kan-bayashi/ParallelWaveGAN, before its features are normalised
        "kan-bayashi": MelConvention(
            MelSpec("kan-bayashi", 22050, 1024, 256, 1024, 80, 80.0, 7600.0, "log10", 1e-10),
        ),
        # r9y9/wavenet_vocoder, before its features are standardised
        "r9y9": MelConvention(
            MelSpec("r9y9", 22050, 1024, 256, 1024, 80, 125.0, 7600.0, "log10", 1e-10),
        ),
        # lmnt-com/wavegrad and lmnt-com/diffwave: ((20 log10 x - 20) + 100) / 100, held in 0..1. The window
        # is four hops long, in a transform of the next power of two.
        "lmnt": MelConvention(
            MelSpec("lmnt", 22050, 2048, 300, 1200, 128, 20.0, 11025.0, "log10", 1e-5),
            unit_window=True,
            scale="htk",
            equal_area=False,
            gain=0.2,
            offset=0.8,
            clip=(0.0, 1.0),
        ),
        # ivanvovk/WaveGrad. It knows no floor; ours is what silence is taken for where sound is played.
        "ivanvovk": MelConvention(
            MelSpec("ivanvovk", 22050, 1024, 300, 1024, 80, 80.0, 8000.0, "log10", 1e-10),
            power=2,
            scale="htk",
            equal_area=False,
            nothing_reads=0.0,  # it replaces minus infinity; a loud band reads 0 too
            drops_last=True,
        ),
    }
)
"""Each known convention by its name."""


def convention_of(spec: MelSpec) -> MelConvention:
    """Return the row that a spec follows. [render thread]

    Raises:
        FeatureError: If there is no such convention.
    """
    row = MEL_CONVENTIONS.get(spec.convention)
    if row is None:
        raise FeatureError(
            f"mel convention {spec.convention[:64]!r} is not known."
            f"{suggestion(spec.convention, MEL_CONVENTIONS)} Known: {', '.join(MEL_CONVENTIONS)}."
        )
    return row
