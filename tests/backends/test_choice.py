"""Which back end computes what: wishes are met or refused with a sentence, and every choice has a reason."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from synthhost.backends import choice, runners
from synthhost.backends.choice import choose
from synthhost.backends.loop_runner import LoopRunner
from synthhost.backends.runners import make_runner
from synthhost.backends.torch_runner import TorchRunner
from synthhost.core.computing import Computed, asked_for, under
from synthhost.core.errors import ConfigError
from synthhost.core.specs import ModelSpec
from synthhost.families import samplernn
from synthhost.families.samplernn_hyper import SampleRnnHyper
from synthhost.native.compiled import why_missing
from synthhost.streaming.conv import Conv
from synthhost.streaming.script import Script
from synthhost.streaming.timing import hop_samples, look_ahead_samples, receptive_frames

EXTENSION = "synthhost.native._loops"


class Native(TorchRunner):
    """What would be compiled."""

    def __init__(self, *given: Any, threads: int = 1, precision: str = "float32") -> None:
        super().__init__(*given)
        self.threads, self.precision = threads, precision


def refuses_wide(block: Any, *, int8: bool = False) -> str | None:
    if int8 and block.in_channels < 32:
        return "no convolution in it is wide enough for 8-bit integers"
    return "kernels of 5 taps are not in the native plan" if block.kernel == 5 else None


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let native code compute small convolutions."""
    monkeypatch.setattr(choice, "native_refusal", refuses_wide)
    monkeypatch.setattr(runners, "NativeRunner", Native)
    monkeypatch.setattr(choice, "why_missing", lambda: None)  # whether anything was compiled here


@pytest.fixture
def no_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the compiled part impossible to import."""
    monkeypatch.setitem(sys.modules, EXTENSION, None)  # type: ignore[arg-type]
    monkeypatch.setattr(choice, "why_missing", why_missing)


def conv(kernel: int = 3) -> Conv:
    return Conv(4, 1, kernel, padding=(kernel // 2, kernel // 2))


def looped() -> Any:
    return samplernn.build(SampleRnnHyper((4,), n_rnn=1, dim=12, q_levels=16))


def script() -> Script:
    return object.__new__(Script)  # what it holds plays no part


def spec_of(block: Conv) -> ModelSpec:
    ahead, receptive = look_ahead_samples(block), receptive_frames(block)
    return ModelSpec("small", "none", 8000, 1, 4, ahead, receptive, None, "")


@pytest.mark.usefixtures("plans")
def test_auto_takes_native_code_where_it_covers_the_network() -> None:
    assert choose("m", conv()) == Computed("native", "cpu", "compiled for this network")
    assert choose("m", conv(5)) == Computed("torch", "cpu", "kernels of 5 taps are not in the native plan")


@pytest.mark.usefixtures("plans")
def test_what_is_asked_for_is_met_and_told() -> None:
    assert choose("m", conv(), "torch") == Computed("torch", "cpu", "asked for")
    assert choose("m", conv(), "native") == Computed("native", "cpu", "asked for")


@pytest.mark.usefixtures("plans")
def test_native_code_that_cannot_be_had_is_refused_and_never_replaced() -> None:
    with pytest.raises(ConfigError, match=r"m: native code cannot compute it: kernels of 5 taps .* Ask for"):
        choose("m", conv(5), "native")


@pytest.mark.usefixtures("plans", "no_extension")
def test_without_the_extension_torch_computes_blocks_and_says_why() -> None:
    reason = "synthhost was installed without its compiled part"
    assert choose("m", conv()) == Computed("torch", "cpu", reason)
    with pytest.raises(ConfigError, match=reason):
        choose("m", conv(), "native")


@pytest.mark.usefixtures("plans")
def test_the_runner_is_the_one_that_was_chosen() -> None:
    small, wide = conv(), conv(5)
    assert type(make_runner(spec_of(small), small)) is Native
    assert type(make_runner(spec_of(small), small, backend="torch")) is TorchRunner
    assert type(make_runner(spec_of(wide), wide)) is TorchRunner


@pytest.mark.skipif(why_missing() is not None, reason="nothing was compiled")
def test_sample_loops_are_native_and_nothing_else() -> None:
    network = looped()
    assert choose("m", network) == Computed("native", "cpu", "it makes one sample after another")
    assert choose("m", network, "native").reason == "asked for"
    with pytest.raises(ConfigError, match="which only native computes here"):
        choose("m", network, "torch")
    spec = ModelSpec("m", "samplernn", 8000, hop_samples(network.conditioner), 0, 0, 1, None, "")
    assert isinstance(make_runner(spec, network), LoopRunner)


@pytest.mark.usefixtures("no_extension")
def test_sample_loops_without_the_extension_are_refused_with_the_way_out() -> None:
    network = looped()
    with pytest.raises(ConfigError, match=r"need the compiled loops.*install a C\+\+ compiler and reinstall"):
        choose("m", network)


def test_programs_are_torchs_and_stay_on_the_processor() -> None:
    assert choose("m", script()) == Computed("torch", "cpu", "it is a TorchScript program")
    with pytest.raises(ConfigError, match="which only torch computes here"):
        choose("m", script(), "native")


def test_a_device_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"m: device: 'gpu' is none. There are cpu, cuda and cuda:N"):
        choose("m", conv(), device="gpu")


def test_a_gpu_that_is_not_there_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(ConfigError, match="was built without CUDA"):
        choose("m", conv(), device="cuda")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="torch finds no GPU on this machine"):
        choose("m", conv(), device="cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match="cuda:2 cannot be used: there are 2, from cuda:0 on"):
        choose("m", conv(), device="cuda:2")


@pytest.mark.usefixtures("plans")
def test_on_a_gpu_torch_computes_and_what_cannot_go_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose("m", conv(), device="cuda") == Computed("torch", "cuda:0", "native code runs on no GPU")
    with pytest.raises(ConfigError, match="native code runs on the processor, not on cuda:0"):
        choose("m", conv(), "native", "cuda:0")
    for playable in (looped(), script()):
        with pytest.raises(ConfigError, match="runs on the processor only, not on cuda:0"):
            choose("m", playable, device="cuda")


def test_wishes_become_options_and_defaults_leave_no_trace() -> None:
    assert asked_for("auto", "cpu") == asked_for(None, None) == {}
    assert asked_for("torch", "cuda:1") == {"backend": "torch", "device": "cuda:1"}
    with pytest.raises(ConfigError, match=r"no 'tensor'.* There are: auto, native, torch"):
        asked_for("tensor", None)


def test_a_preset_that_says_its_back_end_wins_over_its_track() -> None:
    preset = {"model": "m", "options": {"backend": "native"}}
    assert under(preset, {"backend": "torch", "device": "cuda"})["options"] == {
        "backend": "native",
        "device": "cuda",
    }
    assert under(preset, {}) == preset
    assert under({"model": "m"}, {"backend": "torch"}) == {"model": "m", "options": {"backend": "torch"}}
