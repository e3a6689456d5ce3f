"""Puts an engine together from a plan: the same for live, offline and replay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from synthhost.core.computing import asked_for
from synthhost.core.messages import Event
from synthhost.core.seams import Runner
from synthhost.effects.limiter import Limiter
from synthhost.engine.buses import Bus
from synthhost.engine.loading import Loader
from synthhost.engine.renderer import Renderer
from synthhost.engine.strip import GAIN
from synthhost.engine.track import Track
from synthhost.host.factory import VoiceFactory, as_loaded
from synthhost.host.joint import alone
from synthhost.host.ledger import voice_parts
from synthhost.host.plan import Plan
from synthhost.library.model import Model
from synthhost.schedule.queue import CAPACITY, EventQueue
from synthhost.schema.set import Set

_RELEASE_MS = 80.0
HORIZON_S = 3700.0  # how far ahead a command may lie


def planned_set(plan: Plan) -> Set:
    """Return the set of a plan."""
    return Set.from_json(plan.set, "the set")


def make_factory(
    plan: Plan,
    chunk_of: Callable[[str, Runner], int],
    preferred: Callable[[str, Model], Model] = as_loaded,
    joint: Callable[[Runner, int], str | None] = alone,
) -> VoiceFactory:
    """Return the factory of a plan's voices.

    `preferred` is asked where the plan says no back end, `joint` which voices step together.
    """
    return VoiceFactory(plan.sample_rate, plan.seed, chunk_of, plan.backends, preferred, joint)


def make_renderer(
    plan: Plan,
    factory: VoiceFactory,
    loader: Loader,
    emit: Callable[[Event], None],
    *,
    self_activating: bool,
) -> Renderer:
    """Build every track and bus; the stream has not begun.

    Raises:
        SynthhostError: A model, sound or effect of the set cannot be loaded.
    """
    parts, bodies = planned_set(plan), plan.bodies()
    tracks = []
    for index, part in enumerate(parts.tracks):
        options = asked_for(part.backend, part.device)
        prepared = factory.build(bodies[part.name], index, None)
        track = Track(part.name, index, prepared, loader, plan.sample_rate, options, parts.ladder)
        for name in ("gain_db", "pan", "mute", "solo"):
            track.strip.set_param(name, float(getattr(part, name)))
        tracks.append(track)
    factory.keep(0)
    master = Bus(
        Limiter(parts.master.ceiling_db, _RELEASE_MS, plan.sample_rate), plan.sample_rate, plan.block_samples
    )
    cue = Bus(
        Limiter(parts.master.ceiling_db, _RELEASE_MS, plan.sample_rate), plan.sample_rate, plan.block_samples
    )
    master.strip.set_param("gain_db", parts.master.gain_db)
    renderer = Renderer(
        tracks,
        master,
        cue,
        _queue_for(plan, self_activating),
        loader,
        emit,
        sample_rate=plan.sample_rate,
        block_samples=plan.block_samples,
        self_activating=self_activating,
    )
    renderer.apply_solo()
    for strip in (master.strip, *(track.strip for track in tracks)):
        strip.settle()
    return renderer


def _queue_for(plan: Plan, self_activating: bool) -> EventQueue:
    """Return a queue; what a journal holds has been through the bound on a block's commands already."""
    horizon = int(HORIZON_S * plan.sample_rate)
    return EventQueue(horizon) if self_activating else EventQueue(horizon, max_commands=CAPACITY)


def stem_channels(renderer: Renderer) -> dict[str, int]:
    """Return every stem of a recording with its channel count."""
    stems = {}
    for track in renderer.tracks:
        stems[f"{track.name}-dry"] = 1
        stems[f"{track.name}-wet"] = 2
    return {**stems, "master": 2, "cue": 2}


def describe(renderer: Renderer, plan: Plan) -> dict[str, Any]:
    """Return what the control side shows and validates against. [any thread]"""
    stems = renderer.stems  # once: the render thread may end the recording meanwhile
    limiter_samples = renderer.master.limiter.latency_samples
    latency = {
        track.name: [
            asdict(part)
            for part in voice_parts(
                track.playing, plan.sample_rate, plan.block_samples, limiter_samples, plan.arrival_delay_ms
            )
        ]
        for track in renderer.tracks
    }
    return {
        "set": plan.set["name"],
        "sample_rate": plan.sample_rate,
        "block_samples": plan.block_samples,
        "tracks": {
            track.name: {**track.describe(), "reference": track.playing.model_reference}
            for track in renderer.tracks
        },
        "master": {
            "params": [GAIN.as_json()],
            "values": {"gain_db": renderer.master.strip.values["gain_db"]},
        },
        "latency": latency,
        "crossfade_ms": plan.set["crossfade_ms"],
        "record_format": plan.record_format,
        "recording": stems.folder if stems is not None and stems.error is None else None,
    }
