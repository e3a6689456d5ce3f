"""Measuring what a model promises: the same sound in any chunking, its look-ahead, what a step costs."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from synthhost.backends.cost import StepCost, cost_per_step, running_state
from synthhost.checkpoints.package import Package
from synthhost.core.arrays import Audio, Features
from synthhost.core.computing import NATIVE
from synthhost.core.errors import ModelError
from synthhost.core.options import FLOAT32, OptionValue
from synthhost.core.seams import Runner
from synthhost.families.registry import family
from synthhost.library.certify_features import features_for
from synthhost.library.disturbance import look_ahead_by_disturbance
from synthhost.library.model import Model, build_network, model_from
from synthhost.library.number_files import with_files_read
from synthhost.library.reduced import precision_error
from synthhost.schema.manifest import Certificate, ChunkCost, PrecisionCost
from synthhost.streaming.block import Block

CHUNKS = (1, 2, 4, 8, 16)  # in units of what is worth a step
CHUNKINGS = 8  # at most; fewer of a network that takes long

_SECONDS_A_SIZE = 2.0
_RENDERING_S = 30.0  # about how long the renders may take together, on this machine
_LONGEST_PIECE_FRAMES = 12
_FEWEST_FRAMES = 24

Step = Callable[[str], None]


def certify(
    package: Package, step: Step = lambda what: None, options: Mapping[str, OptionValue] | None = None
) -> Certificate:
    """Measure a model on this machine.

    Args:
        package: The model.
        step: Called with the name of each part of the work as it begins.
        options: Of the model; its back end and device among them.

    Raises:
        ModelError: Its sound is not finite, so that nothing about it can be measured.
        ConfigError: There is no such option, or the back end or device cannot be had.
    """
    model = model_from(package, options)
    step("costs")
    costs = list(_costs(model.runner))
    frame_s = max(min(cost.median_ms / cost.chunk_frames for cost in costs) / 1000.0, 1e-7)
    features = _features(model, int(_RENDERING_S / 3.0 / frame_s))
    render_s = frame_s * features.shape[1]
    step("chunkings")
    whole = _pieces(model, [features])
    _refuse_what_is_not_finite(whole, model.spec.name)
    chunkings = int(np.clip(_RENDERING_S / render_s, 2, CHUNKINGS))
    chunk_error = max(_error(whole, rendered) for rendered in _chunked(model, features, chunkings))
    step("rounding")
    precision = model.computed.precision
    exact = None
    if precision == FLOAT32 and render_s < _RENDERING_S / 2.0:
        exact = _in_float64(package, model, features)
    rounding_error = None if exact is None else _error(exact, whole)
    step("look-ahead")
    measured = look_ahead_by_disturbance(model)
    if precision != FLOAT32:
        step("precision")
    return Certificate(
        synthhost="certificate/1",
        model=model.spec.name,
        sha256=model.spec.sha256,
        measured_by=version("synthhost"),
        machine=_machine(),
        torch=torch.__version__,
        threads=model.computed.threads if model.computed.backend == NATIVE else torch.get_num_threads(),
        backend=model.computed.backend,  # type: ignore[arg-type]
        device=model.computed.device,
        precision=precision,
        precision_cost=None if precision == FLOAT32 else _precision_cost(model, frame_s),
        chunkings=chunkings,
        chunk_error=chunk_error,
        rounding_error=rounding_error,
        look_ahead_samples=model.spec.look_ahead_samples,
        look_ahead_measured_samples=measured,
        receptive_frames=model.spec.receptive_frames,
        costs=tuple(costs),
    )


def _precision_cost(model: Model, frame_s: float) -> PrecisionCost:
    """Return what the precision costs, over a second or as much as can be rendered several times soon."""
    real_time_factor = frame_s * model.spec.sample_rate / model.spec.hop_samples
    measured = precision_error(model, min(1.0, _RENDERING_S / 6.0 / real_time_factor))
    return PrecisionCost(
        samples=measured.samples,
        snr_db=round(measured.snr_db, 1),
        log_mel=round(measured.log_mel, 4),
        log_mel_of_seeds=round(measured.log_mel_of_seeds, 4),
    )


def _chunked(model: Model, features: Features, chunkings: int) -> list[Audio]:
    """Return the same features rendered in pieces: of one frame, then of random lengths, none included."""
    frames = features.shape[1]
    random = np.random.default_rng(1)
    cuts = [np.arange(1, frames)]
    for _ in range(chunkings - 1):
        lengths = random.integers(0, _LONGEST_PIECE_FRAMES + 1, frames)
        cuts.append(np.cumsum(lengths)[np.cumsum(lengths) < frames])
    return [_pieces(model, np.split(features, cut, axis=1)) for cut in cuts]


def _pieces(model: Model, pieces: list[Features]) -> Audio:
    stream = model.stream()
    return np.concatenate([*(stream.push(piece) for piece in pieces), stream.flush()])


def _features(model: Model, most_frames: int) -> Features:
    """Return what a model is measured with, long enough for all it looks back on, if there is time."""
    spec = model.spec
    return features_for(spec, max(min(4 * spec.receptive_frames, most_frames), _FEWEST_FRAMES))


def _in_float64(package: Package, model: Model, features: Features) -> Audio | None:
    """Return the whole pass in double precision; None for what is no plain block."""
    if package.program is not None:
        return None
    kind = family(package.manifest.family)
    options = with_files_read(kind.options, model.options)
    playable = kind.play(build_network(package).double(), options)
    if not isinstance(playable, Block):
        return None
    with torch.inference_mode():
        sound: Audio = playable.eval()(torch.from_numpy(features).double()[None])[0, 0].numpy()
    return sound


def _refuse_what_is_not_finite(sound: Audio, name: str) -> None:
    finite = np.isfinite(sound)
    if not finite.all():
        raise ModelError(
            f"{name}: sample {int(np.argmin(finite))} of its sound is not a finite number: its weights are "
            "broken, or far too large. Fetch or train it again."
        )


def _error(truth: Audio, other: Audio) -> float:
    """Return the largest difference relative to the peak of the truth."""
    return float(np.abs(truth - other).max() / max(float(np.abs(truth).max()), 1e-12))


def _costs(runner: Runner) -> Iterator[ChunkCost]:
    """Yield the cost of one chunk size after another, until it is clear that none keeps up."""
    running = running_state(runner)
    for chunk in CHUNKS:
        cost = _step_cost(runner, chunk * runner.spec.chunk_unit, running)
        yield _told(cost)
        if cost.rules_out(CHUNKS[-1] * runner.spec.chunk_unit):
            return


def _step_cost(runner: Runner, chunk_frames: int, running: Any) -> StepCost:
    once = cost_per_step(runner, chunk_frames, 2, running).median_seconds
    repeats = int(np.clip(_SECONDS_A_SIZE / max(once, 1e-6), 5, 200))
    return cost_per_step(runner, chunk_frames, repeats, running)


def _told(cost: StepCost) -> ChunkCost:
    return ChunkCost(
        chunk_frames=cost.chunk_frames,
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
