"""Steps that multiply bfloat16 numbers: half as dear where a processor does so, and coarser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from synthhost.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Rounding:
    """When products are rounded.

    Attributes:
        steps: So many of the first ones; those behind them multiply as the network is played, in float32.
    """

    steps: int

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> Rounding:
        """Read a recipe's settings: `bfloat16_steps`, 0 where there is none.

        Raises:
            ConfigError: It is no number of steps, or is said as recipes once said it.
        """
        if "precision" in settings:
            raise ConfigError("settings: precision: say bfloat16_steps instead, how many steps are rounded.")
        steps = settings.get("bfloat16_steps", 0)
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
            raise ConfigError(f"settings: bfloat16_steps: {steps!r} is no number of steps.")
        return cls(steps)

    def at(self, step: int, device: str) -> torch.autocast:
        """Return what a step's products are computed in."""
        return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=step < self.steps)


class Rounded(nn.Module):
    """What a module finds, its products rounded or not; weights may change from call to call."""

    def __init__(self, inner: nn.Module, at: Callable[[], torch.autocast]) -> None:
        super().__init__()
        self._inner, self._at = inner, at

    def forward(self, *given: Any) -> Any:
        """Call the module."""
        with self._at():
            return self._inner(*given)
