"""Claims about reading a module's interface: methods and attributes by their lists, traps and refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.engine.strip import STRIP_PARAMS
from synthhost.families.registry import family
from synthhost.families.script_interface import read_interface
from synthhost.families.torchscript import attribute_control, hyper_from_json
from synthhost.library.model import Model
from synthhost.library.shelves import load_model
from synthhost.sources.latent import LATENT_PARAMS

Load = Callable[[str], Model]


def module(**more: Any) -> SimpleNamespace:
    """Return what looks like a module, to be asked and never run."""
    given = {
        "get_methods": lambda: ["decode"],
        "decode": None,
        "decode_params": torch.tensor([3, 4, 1, 1]),
        **more,
    }
    return SimpleNamespace(**{name: value for name, value in given.items() if value is not ...})


def attribute(value: Any, codes: list[float], name: str = "a", **more: Any) -> SimpleNamespace:
    return module(
        **{
            "get_attributes": lambda: [name],
            f"get_{name}": lambda: value,
            f"set_{name}": lambda *_: 0,
            f"{name}_params": torch.tensor(codes),
            **more,
        }
    )


def names(asked: SimpleNamespace) -> list[str]:
    return [control.name for control in read_interface(asked, "m.ts").hyper.controls]


def test_decode_says_what_it_takes_and_makes(load: Load) -> None:
    spec = load("Rated").spec
    assert (spec.bands, spec.hop_samples, spec.sample_rate, spec.mel) == (3, 4, 16_000, None)
    assert (spec.family, spec.look_ahead_samples, spec.receptive_frames) == ("torchscript", 0, 4)


def test_every_number_of_every_attribute_is_a_control(load: Load) -> None:
    controls = {control.name: control for control in load("Rated").runner.controls}
    assert list(controls) == [
        "gain",
        "tilt.0",
        "tilt.1",
        "hold",
    ]  # no text, and nothing of the one called none
    kinds = {name: control.kind for name, control in controls.items()}
    assert kinds == {"gain": "float", "tilt.0": "int", "tilt.1": "float", "hold": "bool"}
    assert [controls[name].default for name in kinds] == [1.0, 2.0, -0.5, 0.0]
    assert all("own attribute" in control.doc for control in controls.values())


def test_an_older_export_with_codes_as_floats_is_read(load: Load) -> None:
    model = load("Old")
    assert [control.name for control in model.runner.controls] == ["gain"]


def test_a_buffer_named_like_a_method_is_none() -> None:
    asked = module(encode_params=torch.tensor([1, 1, 8, 4]))
    assert read_interface(asked, "m.ts").hyper.latents == 3
    with pytest.raises(CheckpointError, match="offers encode, but no 'decode'"):
        read_interface(module(get_methods=lambda: ["encode"]), "m.ts")


@pytest.mark.parametrize(
    ("value", "codes", "expected"),
    [
        ((1.0,), [2], ["a"]),
        (1.0, [2], ["a"]),
        ((True, 1, 1.0), [0, 1, 2], ["a.0", "a.1", "a.2"]),
        (("text", 1.0), [3, 2], ["a.1"]),
        ((1.0, 2.0), [2], []),  # not as many as were declared
        ((1.0,), [1], []),  # not of the kind that was declared
        ((1,), [2], []),
        ((torch.zeros(2),), [4], []),
        ((1.0,), [5], []),
        ((1.0,), [7], []),
        ((1.0,), [-1], []),
        ((1.0,), [1.5], []),
        ((math.nan,), [2], []),
        ((math.inf,), [2], []),
        ((10**12,), [1], []),
        ((), [], []),
    ],
)
def test_an_attribute_counts_where_value_and_code_agree(
    value: Any, codes: list[float], expected: list[str]
) -> None:
    assert names(attribute(value, codes)) == expected


@pytest.mark.parametrize("missing", ["get_a", "set_a", "a_params"])
def test_an_attribute_that_cannot_be_read_and_set_is_left_out(missing: str) -> None:
    assert names(attribute((1.0,), [2], **{missing: ...})) == []


@pytest.mark.parametrize("taken", ["wander", "seed", "pan", "mute", "solo", "gain_db"])
def test_an_attribute_called_as_something_of_the_host_gets_another_name(taken: str) -> None:
    assert names(attribute((1.0,), [2], name=taken)) == [f"model.{taken}"]


def test_names_of_the_host_are_known_here() -> None:
    for spec in (*LATENT_PARAMS, *STRIP_PARAMS):
        assert attribute_control(spec.name, 0, 1, 1.0).name == f"model.{spec.name}"


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        (True, 0, 1),
        (1.0, 0, 2),
        (0.0, -1, 1),
        (-3.0, -6, 6),
        (0.25, 0, 1),
        (0, 0, 127),
        (100, 0, 200),
        (-1, -127, 127),
    ],
)
def test_a_range_is_guessed_from_where_a_value_stands(value: float, low: float, high: float) -> None:
    control = attribute_control("a", 0, 1, value)
    assert (control.minimum, control.maximum, control.default) == (low, high, value)
    assert control.control().spec.clamp(control.default) == value


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (module(get_methods=...), "not exported for nn~"),
        (module(get_methods=lambda: 7), "offers nothing, but no 'decode'"),
        (module(decode=...), "no 'decode'"),
        (module(decode_params=...), "four whole numbers"),
        (module(decode_params=torch.tensor([3, 4, 1])), "four whole numbers"),
        (module(decode_params=torch.tensor([3, 4.5, 1, 1])), "four whole numbers"),
        (module(decode_params=torch.tensor([3, math.nan, 1, 1])), "four whole numbers"),
        (module(decode_params=torch.tensor([3, 4, 1, 2])), "from ratio 4 to 2"),
        (module(decode_params=torch.tensor([3, 0, 1, 1])), "from ratio 0 to 1"),
        (module(decode_params=torch.tensor([3, 10**7, 1, 1])), "from ratio 10000000"),
        (module(decode_params=torch.tensor([0, 4, 1, 1])), "takes 0 dimensions"),
        (module(decode_params=torch.tensor([10**9, 4, 1, 1])), "takes 1000000000 dimensions"),
        (module(decode_params=torch.tensor([3, 4, 0, 1])), "makes 0 channels"),
        (module(get_methods=lambda: 1 / 0), "its own program failed: division by zero"),
        (attribute((1.0,), [2], get_a=lambda: 1 / 0), "a: the model's own program failed: division"),
    ],
)
def test_what_cannot_be_played_is_refused_with_a_sentence(asked: SimpleNamespace, words: str) -> None:
    with pytest.raises(CheckpointError, match=rf"^m\.ts: .*{words}"):
        read_interface(asked, "m.ts")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Effect", "its only method is 'forward': it is an effect"),
        ("Plain", "was not exported for nn~"),
        ("Short", r"returned \[1, 1, 3\] where \[1, channels, 4\] was promised"),
        ("Codec", r"does not say its sample rate.*--sample-rate"),
    ],
)
def test_a_file_that_cannot_be_played_is_refused(make: Callable[[str], Path], name: str, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        load_model(make(name), allow_code=True)


@pytest.mark.parametrize(("said", "rate"), [(44100, 44100), (48000.0, 48000), ((16000,), 16000)])
def test_a_rate_is_read_in_any_form(said: Any, rate: int) -> None:
    assert read_interface(module(get_sample_rate=lambda: said), "m.ts").sample_rate == rate


@pytest.mark.parametrize("said", [0, -1, None, "44100", math.nan, True, ()])
def test_what_is_no_rate_is_none(said: Any) -> None:
    assert read_interface(module(get_sample_rate=lambda: said), "m.ts").sample_rate is None


HYPER = {
    "latents": 3,
    "hop_samples": 4,
    "channels": 1,
    "receptive_frames": 2,
    "controls": [
        {
            "name": "a", "attribute": "a", "place": 0, "kind": "float",
            "minimum": 0.0, "maximum": 1.0, "default": 0.5,
        }
    ],
}  # fmt: skip


def test_a_manifest_comes_back_as_it_was() -> None:
    assert hyper_from_json(HYPER).as_json() == HYPER


@pytest.mark.parametrize(
    ("key", "value"),
    [("latents", 10**9), ("hop_samples", 0), ("channels", 65), ("receptive_frames", 1.5), ("latents", True)],
)
def test_a_manifest_out_of_bounds_is_refused(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{key} must be a whole number"):
        hyper_from_json({**HYPER, key: value})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "str"}, "kind: must be bool"),
        ({"place": 99}, "place: must be a whole number"),
        ({"place": True}, "place: must be a whole number"),
        ({"minimum": math.inf}, "minimum: must be a number"),
        ({"maximum": 1e12}, "maximum: must lie within"),
        ({"default": 2.0}, "default must lie between"),
        ({"minimum": 0.5, "maximum": 0.5}, "these apart"),
        ({"name": "pan"}, r"the host's own. Call it model\.pan"),
        ({"name": "../x"}, "is no name"),
        ({"attribute": "__class__.x"}, "is no name"),
        ({"extra": 1}, "must have exactly"),
    ],
)
def test_a_control_written_wrong_is_refused(change: dict[str, Any], words: str) -> None:
    control = {**HYPER["controls"][0], **change}  # type: ignore[index]
    with pytest.raises(ConfigError, match=rf"controls\[0\].*{words}"):
        hyper_from_json({**HYPER, "controls": [control]})


def test_two_controls_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="same name"):
        hyper_from_json({**HYPER, "controls": HYPER["controls"] * 2})  # type: ignore[operator]
    with pytest.raises(ConfigError, match="list of at most"):
        hyper_from_json({**HYPER, "controls": "a"})


def test_nothing_of_a_program_is_built_from_weights() -> None:
    kind = family("torchscript")
    with pytest.raises(ConfigError, match="never built from weights"):
        kind.build(kind.hyper_from_json(HYPER))
    with pytest.raises(ConfigError, match="never built from weights"):
        kind.load_weights(None, {})
    assert kind.tensor_names(kind.hyper_from_json(HYPER)) == {}
