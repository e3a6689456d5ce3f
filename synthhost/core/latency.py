"""Delays between cause and sound, by name."""

from __future__ import annotations

from dataclasses import dataclass

from synthhost.core.timebase import samples_to_ms


@dataclass(frozen=True, slots=True)
class LatencyPart:
    """One named delay between cause and sound. `varies` when it lies anywhere between 0 and `ms`."""

    name: str
    ms: float
    varies: bool = False
    note: str = ""


def output_parts(ahead_samples: int, sample_rate: int, device_ms: float) -> list[LatencyPart]:
    """Return the delays between the engine and the ear."""
    return [
        LatencyPart("ring", samples_to_ms(ahead_samples, sample_rate), note="how far the engine stays ahead"),
        LatencyPart("device", device_ms, note="as the device reports it"),
    ]


def total_ms(parts: list[LatencyPart]) -> float:
    """Return the longest delay the parts add up to."""
    return sum(part.ms for part in parts)
