"""The latency ledger: every delay between a control message and the sound it causes, by name.

What is counted, so that it can be measured to the sample:

- The way begins when the engine could take the message (or, with a constant arrival delay, when it arrived).
  The time on the network and in the control process is not in it.
- A frame is heard from the first sample of its own: frame f of a model owns the samples `f * hop` and on, one
  hop of them. A model that looks both ways lets a trace of a frame be heard before, from the moment it reads
  it (a look-ahead earlier), and after; what it spreads lies about the frame's own samples.
- A trigger's clip is heard from its own first sample, which is computed at once: no frame is waited for.
- A control's own glide begins where the parts end.
- Parts that vary lie anywhere between nothing and what is said; each is written with its longest.
- The ring counts from the moment the sink makes room for a block. An engine still at work on the block
  before takes its messages later by as long as that, and so nearer to their sound.

What a strip does (gain, pan, mute, solo) is done behind the model: only `STRIP_PARTS` are on its way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from synthhost.core.latency import LatencyPart, output_parts, total_ms
from synthhost.core.timebase import samples_to_ms
from synthhost.engine.loading import Prepared
from synthhost.engine.track import GATHERING

STRIP_PARTS = frozenset({"control wait", "arrival delay", "limiter", "ring", "device"})
"""The parts that a change of a strip, or of the master's level, passes."""


def voice_parts(
    playing: Prepared,
    sample_rate: int,
    block_samples: int,
    limiter_samples: int,
    arrival_delay_ms: float = 0.0,
) -> list[LatencyPart]:
    """Return the delays inside the engine for what plays on a track, in order."""
    voice = playing.voice
    return [
        *_waiting_parts(samples_to_ms(block_samples, sample_rate), arrival_delay_ms),
        *_model_parts(playing),
        LatencyPart("resampler", voice.converter.delay_ms),
        LatencyPart("effects", samples_to_ms(voice.effects.latency_samples, sample_rate)),
        LatencyPart("limiter", samples_to_ms(limiter_samples, sample_rate)),
    ]


def strip_parts(parts: Iterable[LatencyPart]) -> list[LatencyPart]:
    """Return those of a track's parts that a change of its strip passes."""
    return [part for part in parts if part.name in STRIP_PARTS]


def ledger_lines(described: dict[str, Any], sample_rate: int, device_ms: float) -> list[str]:
    """Return one line for each track: the longest way from a message to its sound, and its parts."""
    lines = []
    for track, plain in described["latency"].items():
        inside = [LatencyPart(**part) for part in plain]
        parts = [*inside, *output_parts(described["ahead_samples"], sample_rate, device_ms)]
        named = ", ".join(f"{part.name} {'up to ' if part.varies else ''}{part.ms:.1f}" for part in parts)
        lines.append(f"Latency of {track}: {total_ms(parts):.0f} ms = {named}.")
    return lines


def _waiting_parts(block_ms: float, arrival_delay_ms: float) -> list[LatencyPart]:
    """Return how long a message for "now" waits: for the next block, or for a constant time."""
    if arrival_delay_ms <= 0.0:
        return [LatencyPart("control wait", block_ms, True, "until the next block")]
    return [
        LatencyPart("control wait", block_ms, note="one block, as it is placed at its own sample"),
        LatencyPart("arrival delay", arrival_delay_ms, note="arrival_delay_ms of the set"),
    ]


def _model_parts(playing: Prepared) -> list[LatencyPart]:
    """Return how long what is played waits for the model, or the model for what comes after it."""
    voice, spec = playing.voice, playing.voice.runner.spec
    if spec.clip_frames:
        note = (
            "a clip is known whole at its trigger and begins with it; what moves it later waits for a chunk"
        )
        return [LatencyPart("model look-ahead", 0.0, note=note)]
    if spec.notes is not None and not spec.look_ahead_samples:
        note = "a note begins on its very sample; what moves it later waits for a frame"
        return [LatencyPart("model look-ahead", 0.0, note=note)]
    chunk_ms = samples_to_ms(voice.chunk_frames * spec.hop_samples, spec.sample_rate)
    return [
        LatencyPart("frame quantisation", chunk_ms, True, f"until the next {voice.chunk_frames} frames"),
        *_gathering_parts(playing),
        LatencyPart(
            "model look-ahead",
            samples_to_ms(spec.look_ahead_samples, spec.sample_rate),
            note=f"{spec.look_ahead_samples} samples at {spec.sample_rate} Hz",
        ),
    ]


def _gathering_parts(playing: Prepared) -> list[LatencyPart]:
    """Return how long frames from outside wait for others; parameters do not."""
    depth_frames = playing.values.get(GATHERING, 0.0)
    if depth_frames <= 0.0:
        return []
    spec = playing.voice.runner.spec
    gathering_ms = samples_to_ms(depth_frames * spec.hop_samples, spec.sample_rate)
    note = f"frames from outside: until {depth_frames:.0f} are there (its parameter {GATHERING})"
    return [LatencyPart("frame gathering", gathering_ms, True, note)]
