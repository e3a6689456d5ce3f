"""SampleRNN's hyper-parameters, named as on the published trainer's command line and checked once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import accumulate
from operator import mul
from typing import Any, NoReturn

from synthhost.core.errors import ConfigError

HOP_SAMPLES = 64  # what one frame of nothing becomes: small enough to play, and the published top tier's span

_MAX_TIERS = 6
_MAX_FRAME_SIZE = 256
_MAX_SPAN_SAMPLES = 4096
_MAX_RNNS = 8
_MAX_DIM = 4096
_MAX_LEVELS = 4096
_MAX_PARAMETERS = 1 << 29


@dataclass(frozen=True, slots=True)
class SampleRnnHyper:
    """The shape of one SampleRNN.

    Attributes:
        frame_sizes: Of the recurrent tiers, the lowest first, each in frames of the tier below; the lowest in
            samples. The perceptron that makes single samples is one more tier.
        n_rnn: Recurrent layers in each tier.
        dim: Channels of every layer.
        q_levels: Values that a sample can take.
        companding: mu of the mu-law that turns levels into amplitudes; 0: none, as published weights have it.

    Raises:
        ConfigError: The values describe no network that can be built.
    """

    frame_sizes: tuple[int, ...]
    n_rnn: int
    dim: int
    q_levels: int
    companding: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= len(self.frame_sizes) <= _MAX_TIERS:
            _refuse(f"frame_sizes: {len(self.frame_sizes)} of them; give 1 to {_MAX_TIERS}, such as [16, 4]")
        for size in self.frame_sizes:
            _check_range("frame_sizes", size, 1, _MAX_FRAME_SIZE)
        _check_range("n_rnn", self.n_rnn, 1, _MAX_RNNS)
        _check_range("dim", self.dim, 1, _MAX_DIM)
        _check_range("q_levels", self.q_levels, 2, _MAX_LEVELS)
        _check_range("companding", self.companding, 0, _MAX_LEVELS)
        if self.look_back_samples > _MAX_SPAN_SAMPLES:
            _refuse(
                f"frame_sizes: {list(self.frame_sizes)} look back {self.look_back_samples} samples; "
                f"the most is {_MAX_SPAN_SAMPLES}"
            )
        if self.parameters > _MAX_PARAMETERS:
            _refuse(
                f"dim, n_rnn, q_levels and frame_sizes make {self.parameters} numbers together; "
                f"the most is {_MAX_PARAMETERS}. Make one of them smaller"
            )

    @property
    def bands(self) -> int:
        """0: it runs by itself."""
        return 0

    @property
    def hop_samples(self) -> int:
        """Samples that one frame becomes."""
        return HOP_SAMPLES

    @property
    def spans(self) -> tuple[int, ...]:
        """Samples that one frame of each recurrent tier covers, the lowest tier first."""
        return tuple(accumulate(self.frame_sizes, mul))

    @property
    def look_back_samples(self) -> int:
        """Samples that the highest tier looks at together."""
        return math.prod(self.frame_sizes)

    @property
    def parameters(self) -> int:
        """How many numbers the network has, biases left aside."""
        dim, levels = self.dim, self.q_levels
        tiers = sum(dim * (6 * self.n_rnn * dim + dim * size) for size in self.frame_sizes)
        inputs = dim * sum(self.spans)
        return tiers + inputs + levels * (levels + dim * self.frame_sizes[0] + dim) + dim * dim

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping that `from_json` reads back."""
        return {**asdict(self), "frame_sizes": list(self.frame_sizes)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> SampleRnnHyper:
        """Read a manifest's hyper-parameters or a trainer's parameters, whose other keys are left alone.

        Raises:
            ConfigError: A key is missing or its value cannot be used.
        """
        sizes = _value(plain, "frame_sizes")
        if not isinstance(sizes, (list, tuple)):
            _refuse(f"frame_sizes: expected a list of whole numbers, got {sizes!r}")
        return cls(
            frame_sizes=tuple(_number("frame_sizes", size) for size in sizes),
            n_rnn=_number("n_rnn", _value(plain, "n_rnn")),
            dim=_number("dim", _value(plain, "dim")),
            q_levels=_number("q_levels", _value(plain, "q_levels")),
            companding=_real("companding", plain.get("companding", 0.0)),
        )


def _refuse(what: str) -> NoReturn:
    raise ConfigError(f"SampleRNN {what}.")


def _check_range(key: str, value: float, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        _refuse(f"{key}: {value} lies outside {lowest} to {highest}")


def _value(plain: Mapping[str, Any], key: str) -> Any:
    if key not in plain:
        _refuse(f"{key}: missing; import the model again")
    return plain[key]


def _number(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        _refuse(f"{key}: expected a whole number, got {value!r}")
    return value


def _real(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _refuse(f"{key}: expected a number, got {value!r}")
    return float(value)
