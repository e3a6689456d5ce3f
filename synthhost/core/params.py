"""Parameters: one declaration from which addresses, ranges, validation and documentation follow."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

Curve = Literal["linear", "log"]
Kind = Literal["float", "int", "bool"]


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """What one control means.

    `curve` shapes the normalised form only: `log` needs a positive minimum. `smoothing_ms` is how long a
    change takes to arrive; 0 for what must not lie in between.
    """

    name: str
    unit: str
    minimum: float
    maximum: float
    default: float
    doc: str
    smoothing_ms: float = 20.0
    curve: Curve = "linear"
    kind: Kind = "float"

    def __post_init__(self) -> None:
        assert self.minimum < self.maximum, self.name
        assert self.minimum <= self.default <= self.maximum, self.name
        assert self.curve == "linear" or self.minimum > 0, self.name

    def clamp(self, value: float) -> float:
        """Bring a finite value into the range, rounded for whole-number kinds."""
        held = min(max(value, self.minimum), self.maximum)
        if self.kind == "bool":
            return 1.0 if held >= 0.5 else 0.0
        return float(round(held)) if self.kind == "int" else held

    def to_norm(self, value: float) -> float:
        """Map the parameter's own unit to 0..1."""
        held = min(max(value, self.minimum), self.maximum)
        if self.curve == "log":
            return math.log(held / self.minimum) / math.log(self.maximum / self.minimum)
        return (held - self.minimum) / (self.maximum - self.minimum)

    def from_norm(self, norm: float) -> float:
        """Map 0..1 to the parameter's own unit; outside values are clipped."""
        place = min(max(norm, 0.0), 1.0)
        if self.curve == "log":
            return self.clamp(self.minimum * (self.maximum / self.minimum) ** place)
        return self.clamp(self.minimum + place * (self.maximum - self.minimum))

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> ParamSpec:
        """Read what `as_json` wrote."""
        return cls(**plain)
