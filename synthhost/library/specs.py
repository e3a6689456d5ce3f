"""What the host must know of a model, derived from its manifest and from the network as it is played."""

from __future__ import annotations

from synthhost.core.specs import ModelSpec
from synthhost.families.registry import family
from synthhost.schema.manifest import Manifest
from synthhost.streaming.playable import Playable
from synthhost.streaming.script import Script
from synthhost.streaming.timing import burst_samples, look_ahead_samples, receptive_frames


def spec_of(manifest: Manifest, playable: Playable | Script) -> ModelSpec:
    """Return what the host must know of a network as it is played."""
    kind = family(manifest.family)
    hyper = kind.hyper_from_json(manifest.hyper)
    ahead, receptive, burst = _timing(playable)
    return ModelSpec(
        name=manifest.name,
        family=manifest.family,
        sample_rate=manifest.sample_rate,
        hop_samples=manifest.hop_samples,
        bands=hyper.bands,
        look_ahead_samples=ahead,
        receptive_frames=receptive,
        mel=manifest.mel_spec(),
        sha256=manifest.sound_sha256,
        burst_samples=burst,
        clip_frames=kind.clip_frames(hyper),
        prior=kind.prior(hyper),
        notes=kind.notes(hyper),
        classes=kind.classes(hyper),
        weights_sha256=manifest.sha256,
    )


def _timing(playable: Playable | Script) -> tuple[int, int, int]:
    """Return look-ahead in samples, receptive field in frames and the start's burst in samples.

    A program's cannot be derived: it gives what it makes at once, and its reach is as measured at import.
    """
    if isinstance(playable, Script):
        return 0, playable.receptive_frames, 0
    block = playable.timed
    return look_ahead_samples(block), receptive_frames(block), burst_samples(block)
