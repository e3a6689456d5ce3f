"""A graph of a whole utterance gives what the network's own pass gives; players begin it anew each time."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from synthhost.core.errors import ConfigError
from synthhost.native.compiled import why_missing
from synthhost.streaming.conv import Conv

ROOT = Path(__file__).resolve().parents[2]
needs_compiled = pytest.mark.skipif(why_missing() is not None, reason="nothing was compiled")
TINY = ["diffwave-tiny", "wavegrad-tiny"]


@pytest.fixture(params=TINY)
def case(bench: Any, request: pytest.FixtureRequest) -> Any:
    subject = bench("diffusion").one_network(request.param)
    return bench("case").Case(subject.name, subject.spec, subject.block, 5, 1, whole=True)


def test_a_whole_graph_is_the_networks_own_pass(bench: Any, case: Any) -> None:
    frames = torch.from_numpy(next(case.pieces()).copy())
    draws = bench("case").SeededDraws.of(0)
    graph = case.graph
    noises = [
        torch.from_numpy(draws.normals(stream, first, samples))
        for (stream, first), samples in zip(graph.noises, graph.noise_samples, strict=True)
    ]
    with torch.inference_mode():
        (sound,), own = graph(frames, *noises), case.block(frames)[:, 0]
    torch.testing.assert_close(sound, own, atol=1e-6, rtol=1e-5)


def test_a_whole_pass_of_a_runner_begins_anew(bench: Any, case: Any) -> None:
    player = bench("backends").BACKENDS["torch"].player(case)
    frames = next(case.pieces())
    first, again = player.step(frames).copy(), player.step(frames).copy()
    assert first.shape == (1, 5 * case.spec.hop_samples)
    np.testing.assert_array_equal(first, again)


def test_a_whole_pass_and_a_step_of_as_many_frames_compute_as_much(bench: Any, case: Any) -> None:
    streamed = bench("case").Case(case.name, case.spec, case.block, case.chunk_frames, 1)
    assert case.gflop == pytest.approx(streamed.gflop)


def test_a_network_that_is_no_zero_edged_one_is_refused(bench: Any) -> None:
    with pytest.raises(ConfigError, match="reflect edges have no form for a whole pass"):
        bench("exported").WholeGraph(Conv(2, 2, 3, padding=(1, 1), edge="reflect"), 1, 2, 8)


@pytest.mark.parametrize("name", ["native", "onnxruntime", "openvino"])
def test_other_back_ends_render_the_same_sound(bench: Any, case: Any, name: str) -> None:
    backend = bench("backends").BACKENDS[name]
    if backend.missing():
        pytest.skip(f"{name} is not installed: {backend.comes_with}")
    refused: list[str] = []
    (found,) = bench("race").contenders(case, [name], refused)
    assert refused == []
    assert found.error < 1e-5


def run(module: str, written: Path, *arguments: str) -> Any:
    command = [sys.executable, "-m", module, *arguments, "--backends", "torch,native", "--json", str(written)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return json.loads(written.read_text())


@needs_compiled
def test_diffusion_writes_rows_for_chunks_and_for_the_whole(tmp_path: Path) -> None:
    effort = ["--rounds", "1", "--slot-s", "0", "--utterance-s", "0.1", "--chunks", "2"]
    found = run("bench.diffusion", tmp_path / "rows.json", "--models", "diffwave-tiny", *effort)
    assert [(row["chunk_frames"], row["backend"], row["whole"]) for row in found["rows"]] == [
        (2, "native", False),
        (2, "torch", False),
        (9, "native", True),
        (9, "torch", True),
    ]
    assert all(row["offline_real_time_factor"] > 0.0 for row in found["rows"])


@needs_compiled
def test_batch_writes_a_row_for_every_number_of_voices(tmp_path: Path) -> None:
    effort = ["--rounds", "1", "--slot-s", "0", "--voices", "1,3"]
    rows = run("bench.batch", tmp_path / "rows.json", "--model", "tiny", *effort)["batch"]
    found = [(row["voices"], row["backend"]) for row in rows]
    assert found == [*product((1, 3), ("native", "torch")), (3, "native, as tracks")]
    for alone, together in zip(rows[:2], rows[2:4], strict=True):
        assert alone["speed_over_single"] == 1.0
        assert together["single_ms"] == alone["together_ms"]
    assert rows[4]["max_error"] == 0.0 < rows[4]["together_ms"]
