"""WaveNet's hyper-parameters are read as written and refused with a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from synthhost.core.errors import ConfigError
from synthhost.families.registry import family
from synthhost.families.wavenet_hyper import WavenetHyper

OUTPUT = {
    "distribution": "softmax",
    "levels": 255.0,
    "companding": 255.0,
    "de_emphasis": 0.0,
    "gain": 1.0,
    "start": 127,
}
STRETCH = {"kind": "stretch", "channels": 80, "scales": [4, 4, 4, 4], "kernel_in": 5}
PLAIN: dict[str, Any] = {
    "dilations": [1, 2, 4, 8],
    "kernel_size": 2,
    "residual_channels": 32,
    "gate_channels": 64,
    "skip_channels": 64,
    "head_channels": 64,
    "out_channels": 256,
    "residual_scale": 1.0,
    "conditioning": STRETCH,
    "output": OUTPUT,
}
NORMAL = {**OUTPUT, "distribution": "normal"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"dilations": []}, "a list of 1 to 256 whole numbers"),
    ({"dilations": [1] * 257}, "a list of 1 to 256"),
    ({"dilations": [1, 10**9]}, "1000000000 lies outside 1 to 65536"),
    ({"dilations": [65536] * 100}, r"would remember 209715200 numbers; the most is 33554432"),
    ({"kernel_size": 33}, "33 lies outside 1 to 32"),
    ({"residual_channels": 10**9}, "1000000000 lies outside 1 to 4096"),
    ({"residual_channels": None}, "residual_channels: missing"),
    ({"gate_channels": 63}, "63 cannot be halved"),
    ({"gate_channels": 8192, "residual_channels": 4096, "dilations": [1] * 256}, "the most is 536870912"),
    ({"gate": "sigmoid"}, "tanh-sigmoid, relu"),
    ({"skip": "mean"}, "sum, root, halving"),
    ({"scalar_input": 1}, "true or false"),
    ({"out_channels": 1}, "1 lies outside 2 to 4096"),
    ({"gin_channels": 16}, "gin_channels, n_speakers: give both"),
    ({"residual_scale": float("nan")}, "residual_scale: nan"),
    ({"conditioning": "mel"}, "conditioning: expected named values"),
    ({"conditioning": {**STRETCH, "kind": "linear"}}, "none, repeat, stretch, transposed, window"),
    ({"conditioning": {**STRETCH, "channels": 0}}, "0 bands do not go with 'stretch'"),
    ({"conditioning": {**STRETCH, "kind": "none"}}, "80 bands do not go with 'none'"),
    ({"conditioning": {**STRETCH, "scales": [64, 64, 64]}}, "262144 samples a frame"),
    ({"conditioning": {**STRETCH, "kernel_in": 4}}, "must be odd"),
    ({"conditioning": {**STRETCH, "neighbours": 2}}, "must be odd"),
    ({"conditioning": {**STRETCH, "kind": "window", "window": 3}}, "3 samples over a hop of 256"),
    ({"conditioning": {**STRETCH, "slope": 2}}, "slope: 2 lies outside 0 to 1"),
    ({"output": {**OUTPUT, "distribution": "cauchy"}}, "softmax, logistics, normal"),
    ({"output": {**OUTPUT, "gain": 0}}, "gain: 0 lies outside"),
    ({"output": {**OUTPUT, "de_emphasis": 1.0}}, "de_emphasis: 1.0 lies outside"),
    ({"output": {**OUTPUT, "dc_pole": 1.0}}, "dc_pole: 1.0 lies outside"),
    ({"output": {**OUTPUT, "start": 256}}, "256 is none of 256 ids"),
    ({"output": NORMAL}, "what hears ids must draw ids"),
    ({"output": NORMAL, "scalar_input": True}, "a mean and a scale, not 256 numbers"),
    (
        {"output": {**OUTPUT, "distribution": "logistics"}, "scalar_input": True},
        "256 cannot be shared among logits, means and scales",
    ),
]


def test_what_is_written_reads_back() -> None:
    hyper = WavenetHyper.from_json(PLAIN)
    assert (hyper.bands, hyper.hop_samples, hyper.gated_channels) == (80, 256, 32)
    assert WavenetHyper.from_json(hyper.as_json()) == hyper


def test_what_runs_by_itself_takes_frames_of_nothing() -> None:
    hyper = WavenetHyper.from_json({**PLAIN, "conditioning": {"kind": "none", "channels": 0, "scales": [64]}})
    assert (hyper.bands, hyper.hop_samples) == (0, 64)


def test_a_rectifier_lets_all_channels_through() -> None:
    assert WavenetHyper.from_json({**PLAIN, "gate": "relu"}).gated_channels == 64


@pytest.mark.parametrize(("change", "sentence"), REFUSED)
def test_what_cannot_be_built_is_refused_with_a_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        WavenetHyper.from_json({**PLAIN, **change})


@pytest.mark.parametrize("key", ["dilations", "kernel_size", "conditioning", "output", "out_channels"])
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        WavenetHyper.from_json({name: value for name, value in PLAIN.items() if name != key})


def test_numbers_are_counted_before_a_network_is_built() -> None:
    hyper = WavenetHyper.from_json(PLAIN)
    shapes = family("wavenet").tensor_names(hyper)
    layers = [name for name in shapes if not name.endswith(".bias") and not name.startswith("upsample")]
    assert hyper.parameters == sum(_size(shapes[name]) for name in layers)


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for one in shape:
        size *= one
    return size
