"""Measuring what a model promises: the same sound in any chunking, its look-ahead, what a step costs."""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from synthhost.backends.cost import StepCost, cost_per_step
from synthhost.backends.torch_runner import TorchRunner
from synthhost.checkpoints.package import Package
from synthhost.core.arrays import Audio, Features
from synthhost.core.seams import Runner
from synthhost.core.specs import MelSpec
from synthhost.families.registry import family
from synthhost.features.mel import mel_spectrogram
from synthhost.library.model import Model, build_block, model_from
from synthhost.schema.manifest import Certificate, ChunkCost

CHUNK_FRAMES = (1, 2, 4, 8, 16)
CHUNKINGS = 8

_SECONDS_A_SIZE = 2.0
_PROBE_LEVEL = 1e-6  # keeps the sums over all paths below float32's largest number
_LONGEST_PIECE_FRAMES = 12

Step = Callable[[str], None]


def certify(package: Package, step: Step = lambda what: None) -> Certificate:
    """Measure a model on this machine.

    Args:
        package: The model.
        step: Called with the name of each part of the work as it begins.
    """
    model = model_from(package)
    features = certifying_features(model.spec.mel, 4 * model.spec.receptive_frames)
    step("chunkings")
    whole = model.render(features, chunk_frames=features.shape[1])
    chunk_error = max(_error(whole, rendered) for rendered in _chunked(model, features))
    step("rounding")
    rounding_error = _error(_in_float64(package, features), whole)
    step("look-ahead")
    measured = look_ahead_by_disturbance(package, model)
    costs = []
    for chunk_frames in CHUNK_FRAMES:
        step(f"cost of {chunk_frames} frames")
        costs.append(_chunk_cost(model.runner, chunk_frames))
    return Certificate(
        synthhost="certificate/1",
        model=model.spec.name,
        sha256=model.spec.sha256,
        measured_by=version("synthhost"),
        machine=_machine(),
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        chunkings=CHUNKINGS,
        chunk_error=chunk_error,
        rounding_error=rounding_error,
        look_ahead_samples=model.spec.look_ahead_samples,
        look_ahead_measured_samples=measured,
        receptive_frames=model.spec.receptive_frames,
        costs=tuple(costs),
    )


def certifying_features(spec: MelSpec, frames: int, seed: int = 0) -> Features:
    """Return the mel of a gliding voice with breath, `[bands, frames]`: tonal and noisy by turns."""
    seconds = np.arange(frames * spec.hop_samples + spec.n_fft) / spec.sample_rate
    phase = 2 * np.pi * np.cumsum(140.0 + 60.0 * np.sin(2 * np.pi * 0.7 * seconds)) / spec.sample_rate
    partials = range(1, 20)
    voice = np.sum([np.sin(number * phase) / number for number in partials], axis=0)
    breath = np.random.default_rng(seed).standard_normal(len(seconds))
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * 2.0 * seconds)
    sound = 0.15 * swell * voice + 0.02 * (1.0 - swell) * breath
    return mel_spectrogram(sound.astype(np.float32), spec)[:, :frames]


def look_ahead_by_disturbance(package: Package, model: Model) -> int:
    """Return how many samples before its own hop one frame is first heard, found by disturbing it.

    The network is taken with positive weights, no bias and silence around the frame: no path through it can
    then cancel or drown in rounding, so what is not exactly zero depends on the frame.
    """
    kind = family(package.manifest.family)
    hyper = kind.hyper_from_json(package.manifest.hyper)
    probe = kind.build(hyper)
    kind.load_weights(
        probe, {name: _positive(name, shape) for name, shape in kind.tensor_names(hyper).items()}
    )
    frames = 2 * model.spec.receptive_frames + 1
    features = np.zeros((model.spec.bands, frames), dtype=np.float32)
    disturbed = frames // 2
    features[:, disturbed] = _PROBE_LEVEL
    sound = Model(model.manifest, TorchRunner(model.spec, probe)).render(features)
    return disturbed * model.spec.hop_samples - int(np.argmax(sound != 0.0))


def _positive(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.zeros(shape) if name.endswith("bias") else torch.full(shape, 1.0 / shape[1])


def _chunked(model: Model, features: Features) -> list[Audio]:
    """Return the same features rendered in pieces: of one frame, then of random lengths, none included."""
    frames = features.shape[1]
    random = np.random.default_rng(1)
    cuts = [np.arange(1, frames)]
    for _ in range(CHUNKINGS - 1):
        lengths = random.integers(0, _LONGEST_PIECE_FRAMES + 1, frames)
        cuts.append(np.cumsum(lengths)[np.cumsum(lengths) < frames])
    return [_pieces(model, np.split(features, cut, axis=1)) for cut in cuts]


def _pieces(model: Model, pieces: list[Features]) -> Audio:
    stream = model.stream()
    return np.concatenate([*(stream.push(piece) for piece in pieces), stream.flush()])


def _in_float64(package: Package, features: Features) -> Audio:
    block = build_block(package).double().eval()
    with torch.inference_mode():
        sound: Audio = block(torch.from_numpy(features).double()[None])[0, 0].numpy()
    return sound


def _error(truth: Audio, other: Audio) -> float:
    """Return the largest difference relative to the peak of the truth."""
    return float(np.abs(truth - other).max() / max(float(np.abs(truth).max()), 1e-12))


def _chunk_cost(runner: Runner, chunk_frames: int) -> ChunkCost:
    once = cost_per_step(runner, chunk_frames, repeats=3).median_seconds
    repeats = int(np.clip(_SECONDS_A_SIZE / max(once, 1e-6), 20, 200))
    cost: StepCost = cost_per_step(runner, chunk_frames, repeats)
    return ChunkCost(
        chunk_frames=chunk_frames,
        median_ms=round(1000 * cost.median_seconds, 3),
        p99_ms=round(1000 * cost.p99_seconds, 3),
        real_time_factor=round(cost.median_seconds / cost.chunk_seconds, 4),
    )


def _machine() -> str:
    """Return the processor's name and the system's, as far as the system tells."""
    listing = Path("/proc/cpuinfo")
    names = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    named = [line.partition(":")[2].strip() for line in names if line.startswith("model name")]
    return f"{named[0] if named else platform.processor() or platform.machine()}, {platform.system()}"
