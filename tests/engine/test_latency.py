"""The latency ledger says to the sample when a message is heard, found by rendering with and without it.

Most models here are HiFi-GANs whose weights let every frame through as it is: a frame sounds on its own
samples and nowhere else, so that its first sample can be seen. Their look-ahead is that of their layers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from synthhost.control.moments import Moments, TimeOptions
from synthhost.core.arrays import Audio
from synthhost.core.board import STATUS_FIELDS, StatusPage
from synthhost.core.latency import LatencyPart, output_parts, total_ms
from synthhost.core.messages import Command, PushMel, SetParam
from synthhost.core.region import Region
from synthhost.core.timebase import ClockMap
from synthhost.families.registry import family
from synthhost.host.assembly import describe
from synthhost.host.ledger import strip_parts
from synthhost.host.offline import OfflineEngine
from synthhost.host.plan import Plan
from synthhost.library.shelves import load_model
from synthhost.schema.set import Set

BLOCK = 64
BANDS = 8
ENGINE_RATE = 16000
SHAPE: dict[str, Any] = {
    "resblock": "2",
    "upsample_rates": [8, 4],
    "upsample_kernel_sizes": [16, 8],
    "upsample_initial_channel": 8,
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 2], [2, 3]],
}
HOP = 32


def config(rate: int) -> dict[str, Any]:
    front = {"n_fft": 128, "hop_size": HOP, "win_size": 128, "fmin": 0, "fmax": rate // 2}
    return {**SHAPE, **front, "num_mels": BANDS, "sampling_rate": rate}


def shapes() -> dict[str, tuple[int, ...]]:
    kind = family("hifigan")
    return dict(kind.tensor_names(kind.hyper_from_json({**SHAPE, "bands": BANDS})))


def plain_weights() -> dict[str, torch.Tensor]:
    """Return weights that hold the mean of a frame's bands, raised above zero, for its own samples."""
    tensors = {name: torch.zeros(shape) for name, shape in shapes().items()}
    tensors["conv_pre.weight"][0, :, 3] = 1.0 / BANDS
    tensors["conv_pre.bias"][0] = 20.0
    for index, rate in enumerate(SHAPE["upsample_rates"]):
        tensors[f"ups.{index}.weight"][0, 0, rate // 2 : rate // 2 + rate] = 1.0
    tensors["conv_post.weight"][0, 0, 3] = 0.02
    return tensors


def random_weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return {
        name: torch.randn(shape, generator=generator) * (0.7 / max(int(np.prod(shape[1:])), 1) ** 0.5)
        for name, shape in shapes().items()
    }


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give the plain model at the engine's rate and at another, and one of random weights."""
    folder = tmp_path_factory.mktemp("models")
    made = {}
    for name, rate, tensors in (
        ("plain", ENGINE_RATE, plain_weights()),
        ("other-rate", 11025, plain_weights()),
        ("random", ENGINE_RATE, random_weights()),
    ):
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps(config(rate)))
        made[name] = folder / name / "g_00000001"
        torch.save({"generator": tensors}, made[name])
    times_s = np.arange(2 * ENGINE_RATE) / ENGINE_RATE
    soundfile.write(folder / "tone.wav", 0.3 * np.sin(2 * np.pi * 440 * times_s), ENGINE_RATE)
    made["tone"] = folder / "tone.wav"
    return made


class Stage:
    """One track, rendered as often as wanted from the first sample on."""

    def __init__(
        self,
        models: dict[str, Path],
        model: str = "plain",
        *,
        kind: str = "tape",
        chunk_frames: int = 1,
        block_samples: int = BLOCK,
        arrival_delay_ms: float = 0.0,
        depth: int = 0,
    ) -> None:
        tape = {"tape": str(models["tone"])} if kind == "tape" else {}
        params = {"depth": float(depth)} if kind == "frames" else {}
        source = {"kind": kind, "params": params, **tape}
        preset = {"synthhost": "preset/1", "name": "p", "model": str(models[model]), "source": source}
        whole = {"synthhost": "set/1", "name": "s", "tracks": [{"name": "voice", "preset": preset}]}
        self.plan = Plan(
            Set.from_json(whole, "s").as_json(),
            ENGINE_RATE,
            block_samples,
            0,
            arrival_delay_ms=arrival_delay_ms,
            chunk_frames={str(models[model]): chunk_frames},
        )
        self.folder = models["tone"].parent
        self.engine = self.begin()

    def begin(self) -> OfflineEngine:
        return OfflineEngine(self.plan, self.folder, self_activating=True)

    def parts(self) -> list[LatencyPart]:
        """Return the ledger of the track, from the engine to the master stem."""
        plain = describe(self.engine.renderer, self.plan)["latency"]["voice"]
        return [LatencyPart(**part) for part in plain]

    def master(self, *commands: Command, samples: int = 4096) -> Audio:
        """Return the left master channel from the first sample on."""
        self.engine = self.begin()
        out = np.zeros((4, samples), dtype=np.float32)
        if commands:
            self.engine.renderer.receive(list(commands))
        for begin in range(0, samples, self.plan.block_samples):
            self.engine.renderer.render(out[:, begin : begin + self.plan.block_samples])
        assert self.engine.result.failures == []
        return out[0]

    def arrival(self, undisturbed: Audio, command: Command) -> int:
        """Return the first sample that a command changes, after the one at which it takes effect."""
        changed = np.flatnonzero(self.master(command) != undisturbed)
        assert changed.size, "the command is heard"
        return int(changed[0]) - command.at_sample

    def decided(self) -> int:
        """Return the model's look-ahead in its own samples."""
        return int(self.engine.renderer.tracks[0].playing.voice.runner.spec.look_ahead_samples)


def samples_of(parts: list[LatencyPart], *, varying: bool) -> float:
    return total_ms([part for part in parts if part.varies == varying]) * ENGINE_RATE / 1000.0


def behind_the_wait(parts: list[LatencyPart]) -> list[LatencyPart]:
    """Leave out the wait for the next block: these commands name the sample at which they take effect."""
    return [part for part in parts if part.name != "control wait"]


def level_at(sample: int) -> SetParam:
    return SetParam("voice", "level", -9.0, sample)


@pytest.mark.parametrize(("chunk_frames", "block_samples"), [(1, 64), (4, 64), (3, 1024)])
def test_a_source_parameter_is_heard_exactly_when_the_ledger_says(
    models: dict[str, Path], chunk_frames: int, block_samples: int
) -> None:
    stage = Stage(models, chunk_frames=chunk_frames, block_samples=block_samples)
    parts = behind_the_wait(stage.parts())
    fixed, varying = samples_of(parts, varying=False), samples_of(parts, varying=True)
    chunk = chunk_frames * HOP
    assert varying == pytest.approx(chunk)
    undisturbed = stage.master()
    read_at = 20 * chunk - stage.decided()  # where the output needs a chunk's first look
    sent = [read_at - chunk + 1, read_at - chunk // 2, read_at - 1, read_at]
    found = [stage.arrival(undisturbed, level_at(sample)) for sample in sent]
    assert found == [fixed + varying - 1, fixed + chunk // 2, fixed + 1, fixed]


def test_a_source_parameter_is_heard_when_the_ledger_says_through_a_rate_converter(
    models: dict[str, Path],
) -> None:
    stage = Stage(models, "other-rate", chunk_frames=2)
    parts = behind_the_wait(stage.parts())
    assert {part.name: part.ms for part in parts}["resampler"] > 1.0
    fixed, varying = samples_of(parts, varying=False), samples_of(parts, varying=True)
    rest, moved = stage.master(), stage.master(level_at(0))
    found = []
    for sample in range(2000, 2000 + int(varying) + 1, 5):
        share = (stage.master(level_at(sample)) - rest)[sample:] / (moved - rest)[sample:]
        first_step = 1.0 / round(30.0 * 11025 / HOP / 1000.0)  # of the glide: 30 ms of frames
        found.append(int(np.argmax(share > 0.5 * first_step)))
    assert fixed - 2 <= min(found) < fixed + 6
    assert fixed + varying - 8 < max(found) <= fixed + varying + 1


@pytest.mark.parametrize(("depth", "chunk_frames"), [(0, 1), (2, 1), (5, 2)])
def test_a_frame_from_outside_is_heard_within_the_ledgers_range(
    models: dict[str, Path], depth: int, chunk_frames: int
) -> None:
    stage = Stage(models, kind="frames", depth=depth, chunk_frames=chunk_frames)
    parts = behind_the_wait(stage.parts())
    fixed, varying = samples_of(parts, varying=False), samples_of(parts, varying=True)
    assert varying == pytest.approx((chunk_frames + depth) * HOP)
    undisturbed = stage.master()
    loud = np.full((BANDS, 1), -1.0, dtype=np.float32)
    found = [
        stage.arrival(undisturbed, PushMel("voice", None, loud, sample))
        for sample in range(2000, 2000 + chunk_frames * HOP, 7)
    ]
    assert fixed + depth * HOP <= min(found)  # alone, it waits as long as frames ever do
    assert max(found) < fixed + varying
    together = PushMel("voice", None, np.repeat(loud, depth + 1, axis=1), 2000)
    assert fixed <= stage.arrival(undisturbed, together) < fixed + varying


def test_gathering_is_told_as_it_is_moved(models: dict[str, Path]) -> None:
    stage = Stage(models, kind="frames", depth=3)
    before = stage.engine.renderer.revision
    stage.engine.renderer.receive([SetParam("voice", "depth", 0.0)])
    stage.engine.advance(BLOCK)
    assert stage.engine.renderer.revision > before
    assert "frame gathering" not in [part.name for part in stage.parts()]


@pytest.mark.parametrize(("param", "value"), [("gain_db", -20.0), ("mute", 1.0), ("pan", 0.5)])
def test_a_strip_is_heard_exactly_when_the_ledger_says(
    models: dict[str, Path], param: str, value: float
) -> None:
    stage = Stage(models, chunk_frames=4)
    parts = behind_the_wait(strip_parts(stage.parts()))
    assert samples_of(parts, varying=True) == 0
    fixed = samples_of(parts, varying=False)
    undisturbed = stage.master()
    for sample in (2048, 2049, 2100, 2111):
        assert stage.arrival(undisturbed, SetParam("voice", param, value, sample)) == fixed


def test_no_trace_of_a_frame_comes_before_it_is_read_and_the_first_comes_at_once(
    models: dict[str, Path],
) -> None:
    stage = Stage(models, "random", chunk_frames=2)
    fixed = samples_of(behind_the_wait(stage.parts()), varying=False)
    read_at = 40 * HOP - stage.decided()
    far = SetParam("voice", "level", -60.0, read_at)  # a small step drowns in rounding at the outer taps
    first_trace = stage.arrival(stage.master(), far)
    assert 0 <= first_trace - (fixed - stage.decided()) < 8


def test_what_a_frame_spreads_lies_about_its_own_samples(models: dict[str, Path]) -> None:
    model = load_model(models["random"])
    frames = np.random.default_rng(0).uniform(-6.0, -2.0, (BANDS, 60)).astype(np.float32)
    louder = frames.copy()
    louder[:, 30] += 1.0
    spread = (model.render(louder) - model.render(frames)).astype(np.float64) ** 2
    middle = float(np.sum(np.arange(spread.size) * spread) / spread.sum())
    assert 30 * HOP <= middle < 31 * HOP


def test_a_message_with_a_constant_arrival_delay_is_heard_after_exactly_that_ledger(
    models: dict[str, Path], tmp_path: Path
) -> None:
    stage = Stage(models, arrival_delay_ms=25.0)
    ahead_samples, block_s = 4 * BLOCK, BLOCK / ENGINE_RATE
    inside = strip_parts(stage.parts())
    parts = [*inside, *output_parts(ahead_samples, ENGINE_RATE, 0.0)]
    assert not any(part.varies for part in parts)
    status = StatusPage(Region.create(tmp_path / "status", STATUS_FIELDS.itemsize))
    status["ahead_samples"] = ahead_samples
    moments = Moments(status, ClockMap(ENGINE_RATE), TimeOptions(arrival_delay_ms=25.0))
    for turn in range(40):  # the sink takes a block, and plays it from now on
        status["sink_sample"] = (turn + 1) * BLOCK
        status["sink_clock_ns"] = round((1.0 + turn * block_s) * 1e9)
        moments.observe()
    undisturbed = stage.master()
    limiter = {part.name: part.ms for part in inside}["limiter"] * ENGINE_RATE / 1000.0
    for arrived_s in (1.0 + 30 * block_s, 1.0 + 30.37 * block_s, 1.0 + 30.99 * block_s):
        at_sample = moments.at_sample(1, arrived_s)
        heard = at_sample + stage.arrival(undisturbed, SetParam("voice", "gain_db", -20.0, at_sample))
        assert heard - at_sample == limiter
        playing = (arrived_s - 1.0) * ENGINE_RATE
        assert heard - playing == pytest.approx(total_ms(parts) * ENGINE_RATE / 1000.0, abs=1.0)
