"""The benches run with tiny settings and say what they promise; none of this asserts a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from synthhost.checkpoints.package import save_package
from synthhost.control.codec import decode
from synthhost.core.errors import ConfigError, ModelError
from synthhost.families.registry import family
from synthhost.native.compiled import why_missing

ROOT = Path(__file__).resolve().parents[2]
needs_compiled = pytest.mark.skipif(why_missing() is not None, reason="nothing was compiled")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@needs_compiled
def test_streaming_writes_a_row_for_every_model_and_chunk(tmp_path: Path) -> None:
    written = tmp_path / "rows.json"
    settings = ["--rounds", "2", "--slot-s", "0", "--utterance-s", "0.5", "--threads", "1"]
    asked = ["--models", "tiny,melgan-tiny", "--chunks", "1,3", "--backends", "torch,native"]
    ended = run("bench.streaming", *asked, *settings, "--json", str(written))
    assert ended.returncode == 0, ended.stderr
    assert "xtorch" in ended.stdout
    found = json.loads(written.read_text())
    assert found["peak"]["float32_gflops"] > 0.0
    cases = [(row["model"], row["chunk_frames"], row["backend"]) for row in found["rows"]]
    assert cases == list(product(("tiny", "melgan-tiny"), (1, 3), ("native", "torch")))
    for row in found["rows"]:
        assert row["threads"] == 1
        assert 0.0 < row["p10_ms"] <= row["median_ms"] <= row["p999_ms"]
        assert min(row[name] for name in ("real_time_factor", "against_offline", "gflop", "of_peak")) >= 0.0
        assert row["speed_over_torch"] > 0.0
        assert (row["max_error"] == 0.0) == (row["backend"] == "torch")


def test_a_size_nobody_published_is_refused_with_the_nearest(bench: Any) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'v3'"):
        bench("streaming").measure(["v33"], [1], 1)


@pytest.mark.parametrize(("size", "millions"), [("v1", 13.92), ("v2", 0.92), ("v3", 1.46)])
def test_random_models_have_the_published_number_of_parameters(
    bench: Any, size: str, millions: float
) -> None:
    kind = family("hifigan")
    hyper = kind.hyper_from_json(bench("published").HYPER[size])
    weights = sum(prod(shape) for shape in kind.tensor_names(hyper).values())
    assert weights / 1e6 == pytest.approx(millions, abs=0.015)


def test_a_chunk_longer_than_the_utterance_is_refused(bench: Any) -> None:
    streaming = bench("streaming")
    with pytest.raises(ConfigError, match="longer than the utterance"):
        streaming.measure(["tiny"], [100], 1, bench("race").Effort(1, 0.0, 0.5))


def test_the_flood_brings_every_address_its_share(bench: Any) -> None:
    addresses = ["/track/a/norm/level", "/track/a/norm/pan"]
    messages = [message for packet in bench("flood").packets(addresses) for message in decode(packet)]
    assert [message.address for message in messages[:2]] == addresses
    assert len(messages) % len(addresses) == 0
    assert all(0.29 < message.args[0] < 0.71 for message in messages)


def test_the_middle_of_a_change_is_found_to_the_sample(bench: Any) -> None:
    random = np.random.default_rng(0)
    rest = random.standard_normal(8000).astype(np.float32)
    share = np.clip((np.arange(8000) - 3000) / 400, 0.0, 1.0)
    change = bench("onset").Change(rest, 0.7 * rest)
    down = (rest * (1.0 - 0.3 * share)).astype(np.float32)
    up = (rest * (0.7 + 0.3 * share)).astype(np.float32)
    assert change.middle(down, 2000, 6000, 201) == pytest.approx(3200, abs=12)
    assert change.middle(up, 2000, 6000, 201) == pytest.approx(3200, abs=12)


def test_no_change_and_half_a_change_are_not_taken_for_one(bench: Any) -> None:
    rest = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    change = bench("onset").Change(rest, 0.7 * rest)
    assert change.middle(rest, 2000, 6000, 201) is None
    half = np.concatenate([rest[:4000], 0.85 * rest[4000:]])
    assert change.middle(half, 2000, 6000, 201) is None
    assert change.middle(rest, 7000, 9000, 201) is None


def test_a_change_beside_a_gap_is_left_out(bench: Any) -> None:
    rest = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    change = bench("onset").Change(rest, 0.7 * rest)
    heard = np.concatenate([rest[:4000], 0.7 * rest[4000:]])
    assert change.middle(heard, 2000, 6000, 201) is not None
    heard[2800:3200] = 0.0
    assert change.middle(heard, 2000, 6000, 201) is None


def test_a_stage_leaves_nothing_behind(bench: Any) -> None:
    before = dict(os.environ)
    with bench("stage").stage("tiny") as place:
        assert os.environ["SYNTHHOST_HOME"] == str(place.folder)
        folder = place.folder
        track = place.written(place.tape_set()).as_json()["tracks"][0]
        assert track["preset"]["model"] == place.model == "random-tiny"
    assert dict(os.environ) == before
    assert not folder.exists()


def test_streamed_sound_is_the_offline_passes(bench: Any, tmp_path: Path) -> None:
    published, fidelity = bench("published"), bench("fidelity")
    model = save_package(published.random_model("tiny"), published.random_origin("tiny"), tmp_path / "tiny")
    sound = bench("steady").steady_sound(1.0)
    soundfile.write(tmp_path / "tone.wav", sound, 22050, "FLOAT")
    recording = fidelity.Recording("tone", tmp_path / "tone.wav", 0.5)
    (measured,) = fidelity.measure([recording], str(model))
    assert measured.pieces > 4
    assert max(measured.render_error, measured.forward_error) <= fidelity.BOUND
    assert measured.streamed_l1 == pytest.approx(measured.offline_l1, abs=1e-3)
    assert measured.published_l1 == 0.5


def test_recordings_that_are_not_here_are_named(bench: Any, tmp_path: Path) -> None:
    fidelity = bench("fidelity")
    absent = fidelity.Recording("gong", tmp_path / "gong.flac")
    assert fidelity.present([absent]) == ([], [absent])


def test_a_model_that_is_not_here_is_one_sentence(tmp_path: Path) -> None:
    ended = run("bench.fidelity", "--model", str(tmp_path / "none"), str(tmp_path / "none.wav"))
    assert ended.returncode == 1
    assert "no such file" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_deadlines_counts_every_message(tmp_path: Path) -> None:
    written = tmp_path / "deadlines.json"
    arguments = ["--model", "tiny", "--seconds", "1", "--rate", "200", "--tracks", "2", "--busy"]
    ended = run("bench.deadlines", *arguments, "--json", str(written))
    assert ended.returncode == 0, ended.stderr
    assert "late blocks" in ended.stdout
    measured = json.loads(written.read_text())["deadlines"]
    counts = measured["counts"]
    assert measured["sent"] == counts["messages"] == counts["commands"] == 200
    assert min(counts["blocks"], measured["heard"], measured["memory_last_mb"]) > 0
    assert (counts["malformed"], counts["rejected"], counts["refused_commands"]) == (0, 0, 0)


def test_latency_stands_beside_the_ledger(bench: Any) -> None:
    latency = bench("latency")
    gain, level = latency.measure("tiny", 4)
    assert gain.sent == level.sent == 2
    assert gain.found + level.found > 0
    assert "model look-ahead" not in gain.parts
    assert level.parts["model look-ahead"] == pytest.approx(117.1, abs=0.1)
    for each in (gain, level):
        assert each.least_ms <= each.median_ms <= each.most_ms
        assert each.ledger_least_ms < each.ledger_most_ms


_PUBLISHED_PARAMETERS = {  # as the papers and authors' code count them, weight norm folded
    "hifigan-v1": 13_926_017,
    "melgan": 4_260_257,
    "wavegrad-6-steps": 15_920_993,
    "diffwave-base-6-steps": 2_619_971,
    "diffwave-large-6-steps": 6_885_315,
    "samplernn-3-tier": 51_842_304,
    "wavegan-16384": 19_065_345,
}


@pytest.mark.parametrize("size", _PUBLISHED_PARAMETERS)
def test_every_family_is_measured_in_a_shape_that_was_published(bench: Any, size: str) -> None:
    shape = bench("sizes").SIZES[size]
    kind = family(shape.family)
    tensors = kind.tensor_names(kind.hyper_from_json(shape.hyper))
    assert sum(prod(one) for one in tensors.values()) == _PUBLISHED_PARAMETERS[size]


@needs_compiled
def test_families_write_a_row_for_every_size(tmp_path: Path) -> None:
    written = tmp_path / "rows.json"
    sizes = "hifigan-v3,wavenet-small"
    ended = run("bench.families", "--sizes", sizes, "--no-compile", "--slot-s", "0", "--json", str(written))
    assert ended.returncode == 0, ended.stderr
    rows = {row["size"]: row for row in json.loads(written.read_text())["families"]}
    assert list(rows) == sizes.split(",")
    assert all(row["compiled"] is None and row["eager"] > 0.0 for row in rows.values())
    assert all(row["native"] > 0.0 for row in rows.values())
    assert rows["wavenet-small"]["eager"] > rows["wavenet-small"]["native"]
    assert all(row["live_chunk_frames"] is None or row["live_chunk_ms"] > 0.0 for row in rows.values())


def test_a_family_size_nobody_published_is_refused_with_the_nearest(bench: Any) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'melgan'"):
        bench("sizes").random_size("melgam")


def test_loops_write_a_row_for_every_precision_and_number_of_voices(tmp_path: Path) -> None:
    written = tmp_path / "rows.json"
    models, precisions = "wavenet-tiny,samplernn-tiny", "float32,float16"
    asked = ["--models", models, "--precisions", precisions, "--voices", "1,3", "--seconds", "0"]
    ended = run("bench.loops", *asked, "--json", str(written))
    assert ended.returncode == 0, ended.stderr
    assert "x real time" in ended.stdout
    rows = json.loads(written.read_text())["rows"]
    named = [(row["model"], row["precision"], row["voices"]) for row in rows]
    assert named == [
        (model, precision, voices)
        for model in models.split(",")
        for precision in precisions.split(",")
        for voices in (1, 3)
    ]
    for row in rows:
        assert row["backend"] == "native"
        assert 0.0 < row["median_ms"] <= row["p999_ms"]
        assert row["times_real_time"] * row["real_time_factor"] == pytest.approx(1.0, rel=0.05)
        assert row["max_error"] < (1e-4 if row["precision"] == "float32" else 1e-2)


def test_a_loop_that_computes_something_else_is_not_measured(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = bench("loop_case")
    truth = case._by_torch
    monkeypatch.setattr(case, "_by_torch", lambda voice, values: 1.001 * truth(voice, values))
    with pytest.raises(ModelError, match="does not compute what the network's layers do"):
        case.loop_case("wavenet-tiny", "float32")


def test_a_trained_network_that_is_not_here_is_named(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = bench("loop_case")
    monkeypatch.setattr(case, "REFERENCE", tmp_path)
    with pytest.raises(ConfigError, match=r"piano-2017: there is no .*Set SYNTHHOST_REFERENCE"):
        case.loop_case("piano-2017", "float32")
