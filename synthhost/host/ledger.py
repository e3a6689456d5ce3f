"""The latency ledger: every delay between a control message and the sound it causes, by name."""

from __future__ import annotations

from typing import Any

from synthhost.core.latency import LatencyPart, output_parts, total_ms
from synthhost.core.timebase import samples_to_ms
from synthhost.engine.voice import Voice


def voice_parts(
    voice: Voice, sample_rate: int, block_samples: int, limiter_samples: int
) -> list[LatencyPart]:
    """Return the delays inside the engine for one voice, in order.

    A message for "now" waits for the next block; a frame parameter then waits for the next chunk of frames.
    """
    spec = voice.runner.spec
    chunk_ms = samples_to_ms(voice.chunk_frames * spec.hop_samples, spec.sample_rate)
    return [
        LatencyPart("control wait", samples_to_ms(block_samples, sample_rate), True, "until the next block"),
        LatencyPart("frame quantisation", chunk_ms, True, f"until the next {voice.chunk_frames} frames"),
        LatencyPart(
            "model look-ahead",
            samples_to_ms(spec.look_ahead_samples, spec.sample_rate),
            note=f"{spec.look_ahead_samples} samples at {spec.sample_rate} Hz",
        ),
        LatencyPart("resampler", voice.converter.delay_ms),
        LatencyPart("effects", samples_to_ms(voice.effects.latency_samples, sample_rate)),
        LatencyPart("limiter", samples_to_ms(limiter_samples, sample_rate)),
    ]


def ledger_lines(described: dict[str, Any], sample_rate: int, device_ms: float) -> list[str]:
    """Return one line for each track: the longest way from a message to its sound, and its parts."""
    lines = []
    for track, plain in described["latency"].items():
        inside = [LatencyPart(**part) for part in plain]
        parts = [*inside, *output_parts(described["ahead_samples"], sample_rate, device_ms)]
        named = ", ".join(f"{part.name} {'up to ' if part.varies else ''}{part.ms:.1f}" for part in parts)
        lines.append(f"Latency of {track}: {total_ms(parts):.0f} ms = {named}.")
    return lines
