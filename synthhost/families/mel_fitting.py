"""How sound is brought near to the mel frames that it was made of, as a manifest says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from synthhost.core.errors import ConfigError
from synthhost.core.mel_conventions import MEL_CONVENTIONS
from synthhost.core.specs import MelSpec
from synthhost.families.hyper_reader import HyperReader
from synthhost.features.filter_bank import filter_bank
from synthhost.streaming.graph import Concat, GraphBuilder, Stream
from synthhost.streaming.mel_fit import MOST_REACH, MelFit
from synthhost.streaming.stacking import Stack, Unstack

_FITTING = tuple(
    name
    for name, row in MEL_CONVENTIONS.items()
    if (row.edge, row.power, row.unit_window, row.clip, row.published.log) == ("hop", 1, False, None, "ln")
)
_MOST_ROUNDS = 64


@dataclass(frozen=True, slots=True)
class MelFitting:
    """Frames as they were made, and how often sound is mended to fit them.

    Attributes:
        convention: Whose frames; of natural logarithms of magnitudes, as many as there are whole hops.
        sample_rate: In Hz.
        n_fft: Samples of a window.
        hop_samples: Of a frame.
        bands: Of a frame.
        fmin_hz: Where the lowest band begins.
        fmax_hz: Where the highest ends.
        floor: The least that a band counts as.
        rounds: Of mending, in every step; a hop takes part in one step and in as many as later frames reach
            into it.
    """

    convention: str
    sample_rate: int
    n_fft: int
    hop_samples: int
    bands: int
    fmin_hz: float
    fmax_hz: float
    floor: float
    rounds: int

    @property
    def frames(self) -> MelSpec:
        """What frames it means."""
        numbers = self.sample_rate, self.n_fft, self.hop_samples, self.n_fft, self.bands
        return MelSpec(self.convention, *numbers, self.fmin_hz, self.fmax_hz, "ln", self.floor)

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> MelFitting:
        """Read a manifest's values.

        Raises:
            ConfigError: One is missing, of the wrong type or out of range, or not known, the window is too
                long, or the bands are too narrow to hold a bin.
        """
        read = HyperReader("fit:", plain, cls.__dataclass_fields__)
        rate, hop = read.whole("sample_rate", 8000, 192_000), read.whole("hop_samples", 1, 8192)
        n_fft, lowest = read.whole("n_fft", 16, 16384), read.real("fmin_hz", 0.0, rate / 4)
        if n_fft & (n_fft - 1) or not hop < n_fft <= (2 * MOST_REACH + 1) * hop or (n_fft - hop) % 2:
            raise ConfigError(
                f"fit: n_fft: {n_fft} samples over a hop of {hop}; it must be a power of two above the hop "
                f"(by an even number of samples) and at most {2 * MOST_REACH + 1} hops long."
            )
        made = cls(
            convention=read.word("convention", _FITTING, _FITTING[0]),
            sample_rate=rate,
            n_fft=n_fft,
            hop_samples=hop,
            bands=read.whole("bands", 1, 1024),
            fmin_hz=lowest,
            fmax_hz=read.real("fmax_hz", lowest + 1.0, rate / 2),
            floor=read.real("floor", 1e-12, 1.0),
            rounds=read.whole("rounds", 1, _MOST_ROUNDS),
        )
        if not filter_bank(made.frames).any():
            raise ConfigError(
                f"fit: fmin_hz, fmax_hz: no bin of {n_fft} samples lies in bands from {lowest:g} to "
                f"{made.fmax_hz:g} Hz; let them lie further apart."
            )
        return made

    def lay(self, graph: GraphBuilder, frames: Stream, sound: Stream) -> Stream:
        """Lay what brings sound nearer to frames; return the sound."""
        spec = self.frames
        fit = MelFit(filter_bank(spec), spec.hop_samples, spec.floor, self.rounds)
        rows = graph.add("sound_rows", Stack(spec.hop_samples), sound)
        beside = graph.join("frames_and_sound", Concat(), frames, rows)
        fitted = graph.add("fit", fit, beside)
        return graph.add("sound", Unstack(spec.hop_samples, fit.made_channels), fitted)
