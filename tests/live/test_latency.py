"""What the banner and /latency promise is what passes between sending a message and its sound."""

from __future__ import annotations

import json
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from synthhost.core.arrays import Audio
from synthhost.core.latency import LatencyPart, total_ms
from synthhost.families.registry import family
from synthhost.host.ledger import strip_parts
from synthhost.host.offline import OfflineEngine
from synthhost.host.planning import offline_plan
from synthhost.host.shared import Shared

_RATE, _BLOCK = 48000, 256
_AHEAD_MS = 150.0  # room enough for a busy machine: the sound must be whole to be compared
_EARLY_MS, _LATE_MS = 6.0, 15.0  # an engine late at a block is nearer to the sound; control may be late too
_GAP_S = 0.34  # between messages, longer than the whole way and a glide
_MESSAGES = 8  # of each control
_SHAPE: dict[str, Any] = {
    "resblock": "2",
    "upsample_rates": [8, 8, 4],
    "upsample_kernel_sizes": [16, 16, 8],
    "upsample_initial_channel": 8,
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 2], [2, 6]],
}
_FRONT = {
    "num_mels": 80,
    "n_fft": 1024,
    "hop_size": 256,
    "win_size": 1024,
    "sampling_rate": 22050,
    "fmin": 0,
    "fmax": 8000,
}


@dataclass(frozen=True)
class Control:
    """What is moved to and fro, and how far its first step goes of the whole way."""

    address: str
    displaced_set: str  # the set that plays with it displaced from the start
    displaced: float
    first_step: float


GAIN = Control("/track/voice/gain", "clear-gain", -6.0, 0.02)  # of 480 samples: the first ten
LEVEL = Control("/track/voice/param/level", "clear-level", -6.0, 1.0 / 3.0)  # of three frames: the first


@pytest.fixture(scope="module")
def clear(stage: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Add a model through which every frame sounds on its own samples alone, and sets that play it."""
    folder = tmp_path_factory.mktemp("clear")
    kind = family("hifigan")
    shapes = kind.tensor_names(kind.hyper_from_json({**_SHAPE, "bands": 80}))
    tensors = {name: torch.zeros(shape) for name, shape in shapes.items()}
    tensors["conv_pre.weight"][0, :, 3] = 1.0 / 80
    tensors["conv_pre.bias"][0] = 20.0
    for index, rate in enumerate(_SHAPE["upsample_rates"]):
        tensors[f"ups.{index}.weight"][0, 0, rate // 2 : rate // 2 + rate] = 1.0
    tensors["conv_post.weight"][0, 0, 3] = 0.02
    torch.save({"generator": tensors}, folder / "g_00000001")
    (folder / "config.json").write_text(json.dumps({**_SHAPE, **_FRONT}))
    imported = stage.run("import", str(folder / "g_00000001"), "--name", "clear")
    assert imported.returncode == 0, imported.stderr
    stage.add_preset("clear", "clear", "{}")
    stage.add_preset("clear-displaced", "clear", f"{{level: {LEVEL.displaced}}}")
    stage.add_set("clear", "[{name: voice, preset: clear}]")
    stage.add_set(LEVEL.displaced_set, "[{name: voice, preset: clear-displaced}]")
    stage.add_set(GAIN.displaced_set, f"[{{name: voice, preset: clear, gain_db: {GAIN.displaced}}}]")
    return stage


def test_measured_is_what_the_ledger_says(
    clear: Any, start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "heard.wav"
    live = start("--set", "clear", "--out", str(out), "--ahead-ms", str(_AHEAD_MS), sink="file")
    shared = shared_of(live)
    parts = told(live)
    assert_banner_says(live.said(), parts)
    zeros_s: list[float] = []
    sent_s = {control: moved(live, shared, control, zeros_s) for control in (GAIN, LEVEL)}
    underruns = int(shared.status["underruns"])
    assert live.stop() == 0, live.said()
    if underruns:
        pytest.skip("the machine was too busy to play 150 ms ahead: the sound has gaps")
    zero_s = min(zeros_s)  # the sink may wake late, never early
    heard = soundfile.read(out, dtype="float32", always_2d=True)[0][:, 0]
    monkeypatch.setenv("SYNTHHOST_HOME", clear.env["SYNTHHOST_HOME"])
    monkeypatch.setenv("SYNTHHOST_PRESETS", clear.env["SYNTHHOST_PRESETS"])
    rest = rendered("clear", len(heard), tmp_path)
    assert np.abs(heard[: _RATE // 4] - rest[: _RATE // 4]).max() <= 1e-6, "the file begins with the sound"
    for control, ways in ((GAIN, strip_parts(parts)), (LEVEL, parts)):
        displaced = rendered(control.displaced_set, len(heard), tmp_path)
        taken_ms = [
            1000.0 * (arrival(control, heard, rest, displaced, round((at_s - zero_s) * _RATE)) / _RATE)
            for at_s in sent_s[control]
        ]
        longest = total_ms(ways)
        shortest = longest - total_ms([part for part in ways if part.varies])
        assert shortest - _EARLY_MS <= median(taken_ms) <= longest + _LATE_MS, (shortest, longest, taken_ms)


def shared_of(live: Any) -> Shared:
    """Join the memory of a running host: its folder is named after the process."""
    for parent in (Path("/dev/shm"), Path(tempfile.gettempdir())):
        for folder in parent.glob(f"synthhost-{live.process.pid}-*"):
            return Shared.open(folder)
    raise AssertionError("the run has no folder")


def told(live: Any) -> list[LatencyPart]:
    """Return what /latency answers; whether a part varies is known by its name."""
    track, total, *named = live.ask("/latency", expect="/latency/reply")
    pairs = zip(named[::2], named[1::2], strict=True)
    parts = [LatencyPart(name, ms, name in ("control wait", "frame quantisation")) for name, ms in pairs]
    assert track == "voice"
    assert total == pytest.approx(total_ms(parts), abs=0.01)
    return parts


def assert_banner_says(said: str, parts: list[LatencyPart]) -> None:
    found = re.search(r"Latency of voice: (\d+) ms = (.*)\.\n", said)
    assert found is not None, said
    assert abs(int(found[1]) - total_ms(parts)) <= 0.5 + 1e-3
    named = [re.fullmatch(r"(.*?)( up to)? (\d+\.\d)", part) for part in found[2].split(", ")]
    assert [(each[1], bool(each[2])) for each in named if each] == [
        (part.name, part.varies) for part in parts
    ]
    for each, part in zip(named, parts, strict=True):
        assert each is not None
        assert abs(float(each[3]) - part.ms) <= 0.05 + 1e-3


def moved(live: Any, shared: Shared, control: Control, zeros_s: list[float]) -> list[float]:
    """Move a control to and fro and return when each message was sent; read the sink's clock meanwhile.

    Adds to `zeros_s` when sample 0 was played: a block is played from the moment the sink takes it.
    """
    sent_s = []
    next_s = time.monotonic() + _GAP_S
    while len(sent_s) < _MESSAGES:
        clock_ns, sample = int(shared.status["sink_clock_ns"]), int(shared.status["sink_sample"])
        if clock_ns and clock_ns == int(shared.status["sink_clock_ns"]):
            zeros_s.append(clock_ns * 1e-9 - (sample - _BLOCK) / _RATE)
        if time.monotonic() >= next_s:
            value = control.displaced if len(sent_s) % 2 == 0 else 0.0
            sent_s.append(time.monotonic())
            live.send(control.address, value)
            next_s += _GAP_S + 0.0037 * len(sent_s)  # so that messages meet blocks and chunks at any phase
        time.sleep(0.002)
    time.sleep(_GAP_S)  # the last one is to be heard whole
    return sent_s


def rendered(set_name: str, samples: int, folder: Path) -> Audio:
    """Return the left master channel of a set that nobody touches."""
    engine = OfflineEngine(offline_plan(set_name, threads=1), folder, self_activating=True)
    out = np.zeros((4, -(-samples // _BLOCK) * _BLOCK), dtype=np.float32)
    for begin in range(0, out.shape[1], _BLOCK):
        engine.renderer.render(out[:, begin : begin + _BLOCK])
    return out[0, :samples]


def arrival(control: Control, heard: Audio, rest: Audio, displaced: Audio, sent: int) -> int:
    """Return how many samples after it was sent a move begins to be heard."""
    part = slice(sent, sent + round(_GAP_S * _RATE))
    way = displaced[part] - rest[part]
    assert np.abs(way).min() > 1e-3, "everywhere the two can be told apart"
    share = (heard[part] - rest[part]) / way
    gone = np.abs(share - share[0])
    assert 0.9 < gone[-1] < 1.1, "the move is whole"
    return int(np.argmax(gone > 0.5 * control.first_step))
