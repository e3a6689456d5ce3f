"""Reading off a TorchScript module what it offers, by the interface nn~ reads, and measuring the rest.

For each method M of `get_methods` a whole-number buffer `M_params` = [channels in, ratio in, channels out,
ratio out]; for each attribute A of `get_attributes` a buffer `A_params` of type codes (0 bool, 1 int, 2
float; others are no live controls), `get_A` and `set_A`; perhaps `get_sample_rate`. All of it is a stranger's
code that runs.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from synthhost.core.errors import CheckpointError, ModelError
from synthhost.families.torchscript import (
    LARGEST_VALUE,
    MOST_CHANNELS,
    MOST_CONTROLS,
    MOST_HOP_SAMPLES,
    MOST_LATENTS,
    MOST_RECEPTIVE_FRAMES,
    AttributeControl,
    ScriptHyper,
    attribute_control,
)
from synthhost.streaming.script import Script as Script  # what `loaded_script` gives
from synthhost.streaming.script import attribute_values, reason, undisturbed

_METHOD = "decode"
_KINDS = (bool, int, float)  # by type code
_LONGEST_NAME = 48
_NOTICED = 1e-6  # of the peak: a change below is rounding


@dataclass(frozen=True, slots=True)
class Interface:
    """What a module offers.

    Attributes:
        hyper: Of its `decode`; the receptive field is not measured yet and says 1.
        sample_rate: In Hz; None if the module does not say.
        encodes: Whether its `encode` makes the vectors that its `decode` takes, of sound of one channel.
    """

    hyper: ScriptHyper
    sample_rate: int | None
    encodes: bool


def read_interface(module: Any, place: str) -> Interface:
    """Return what a loaded module offers; its getters run.

    Args:
        module: As `torch.jit.load` gives it.
        place: What messages call the file.

    Raises:
        CheckpointError: It has no `decode` that turns latent vectors into sound, or its program failed.
    """
    with _strangers_code(place):
        methods = _names(_asked(module, "get_methods", place, needed=True))
        if _METHOD not in methods or not hasattr(module, _METHOD):
            raise CheckpointError(f"{place}: {_what_instead(methods)}")
        latents, hop_samples, channels = _shape(module, place)
        hyper = ScriptHyper(latents, hop_samples, channels, 1, _controls(module, place))
        encodes = "encode" in methods and _encodes(module, latents, hop_samples)
        return Interface(hyper, _sample_rate(_asked(module, "get_sample_rate", place)), encodes)


def loaded_script(module: Any, hyper: ScriptHyper, place: str) -> Script:
    """Return a module ready to play: found to be what its manifest says, every control at its default, tried.

    Raises:
        CheckpointError: The module is not what was written down, or fails.
    """
    interface = read_interface(module, place)
    _check_said(hyper, interface.hyper, place)
    controls = tuple(control.control() for control in hyper.controls)
    with _strangers_code(place):
        module.eval()
        sizes = (hyper.latents, hyper.hop_samples, hyper.receptive_frames)
        script = Script(module, *sizes, controls, encodes=interface.encodes)
        for one in controls:
            script.set_control(module, one.spec.name, one.spec.default)
        script.decode(script.fresh(), torch.zeros(hyper.latents, 1), seed=0)
        return script


def measured_reach(script: Script, place: str) -> int:
    """Return how many vectors a sample depends on, at most 48: the last sound a change of one vector makes.

    Raises:
        CheckpointError: The program failed.
    """
    vectors = torch.randn(script.latents, MOST_RECEPTIVE_FRAMES, generator=torch.Generator().manual_seed(0))
    changed = vectors.clone()
    changed[:, 0] += 1.0
    with _strangers_code(place):
        one, other = (script.decode(script.fresh(), given, seed=0) for given in (vectors, changed))
    touched = ((one - other).abs() > _NOTICED * one.abs().max()).nonzero()
    return 1 if not len(touched) else int(touched[-1]) // script.hop_samples + 1


@contextlib.contextmanager
def _strangers_code(place: str) -> Iterator[None]:
    """Say of whatever goes wrong in a program where it did."""
    try:
        yield
    except CheckpointError:
        raise
    except ModelError as error:
        raise CheckpointError(f"{place}: {error}") from error
    except Exception as error:
        raise CheckpointError(f"{place}: its own program failed: {reason(error)}.") from error


def _check_said(said: ScriptHyper, found: ScriptHyper, place: str) -> None:
    """Refuse a manifest that says something else than the module does."""
    if (said.latents, said.hop_samples, said.channels) != (found.latents, found.hop_samples, found.channels):
        raise CheckpointError(
            f"{place}: 'decode' makes {found.hop_samples} samples of {found.latents} dimensions, but the "
            f"manifest says {said.hop_samples} of {said.latents}. Import the model again."
        )
    known = {(control.attribute, control.place): control.kind for control in found.controls}
    for control in said.controls:
        if known.get((control.attribute, control.place)) != control.kind:
            raise CheckpointError(
                f"{place}: the module has no attribute {control.attribute!r} with a {control.kind} at place "
                f"{control.place}, as the manifest says. Import the model again."
            )


def _asked(module: Any, getter: str, place: str, *, needed: bool = False) -> Any:
    """Return what a getter without arguments gives, or None if there is none."""
    ask: Callable[[], Any] | None = getattr(module, getter, None)
    if ask is None:
        if needed:
            raise CheckpointError(
                f"{place}: the TorchScript module has no '{getter}': it was not exported for nn~. Only such "
                "models can be played, RAVE's among them."
            )
        return None
    with undisturbed():
        return ask()


def _names(given: object) -> list[str]:
    return [name for name in given if isinstance(name, str)] if isinstance(given, list | tuple) else []


def _what_instead(methods: list[str]) -> str:
    shown = ", ".join(name[:_LONGEST_NAME] for name in methods[:8]) or "nothing"
    if methods == ["forward"]:
        return (
            "its only method is 'forward': it is an effect that turns sound into sound, and effects of this "
            "kind cannot be played yet. A model with 'decode' can."
        )
    return f"offers {shown}, but no 'decode' that turns latent vectors into sound; only that can be played."


def _shape(module: Any, place: str) -> tuple[int, int, int]:
    """Return the dimensions `decode` takes, the samples it makes of a vector, and its channels."""
    numbers = getattr(module, f"{_METHOD}_params", None)
    if not isinstance(numbers, Tensor) or numbers.numel() != 4 or not _all_whole(numbers):
        raise CheckpointError(
            f"{place}: 'decode_params' is not the four whole numbers that say what 'decode' takes and makes. "
            "Export the model again."
        )
    latents, ratio_in, channels, ratio_out = (int(number) for number in numbers.flatten().tolist())
    if ratio_out != 1 or not 1 <= ratio_in <= MOST_HOP_SAMPLES:
        raise CheckpointError(
            f"{place}: 'decode' goes from ratio {ratio_in} to {ratio_out}; what can be played makes sound at "
            f"its full rate, ratio 1, of vectors that come every 1 to {MOST_HOP_SAMPLES} samples."
        )
    if not (1 <= latents <= MOST_LATENTS and 1 <= channels <= MOST_CHANNELS):
        raise CheckpointError(
            f"{place}: 'decode' takes {latents} dimensions and makes {channels} channels; there may be 1 to "
            f"{MOST_LATENTS} and 1 to {MOST_CHANNELS}."
        )
    return latents, ratio_in, channels


def _encodes(module: Any, latents: int, hop_samples: int) -> bool:
    """Tell whether `encode` leads from sound of one channel to what `decode` takes."""
    numbers = getattr(module, "encode_params", None)
    if not isinstance(numbers, Tensor) or not hasattr(module, "encode"):
        return False
    return numbers.flatten().tolist() == [1, 1, latents, hop_samples]


def _all_whole(numbers: Tensor) -> bool:
    """Tell whether numbers are whole; older exports store them as floats."""
    if numbers.is_complex() or numbers.is_quantized:
        return False
    listed = numbers.flatten().tolist()
    return all(math.isfinite(number) and number == int(number) for number in listed)


def _controls(module: Any, place: str) -> tuple[AttributeControl, ...]:
    """Return a control for every number of every attribute, in their order."""
    controls: list[AttributeControl] = []
    for name in _names(_asked(module, "get_attributes", place)):
        controls += _of_attribute(module, name)
    return tuple(controls[:MOST_CONTROLS])


def _of_attribute(module: Any, name: str) -> list[AttributeControl]:
    """Return the controls of one attribute; none where it cannot be read and set, such as the one 'none'."""
    codes = getattr(module, f"{name}_params", None)
    settable = hasattr(module, f"get_{name}") and hasattr(module, f"set_{name}")
    if len(name) > _LONGEST_NAME or not settable or not isinstance(codes, Tensor) or not _all_whole(codes):
        return []
    values = attribute_values(module, name)
    kinds = [int(code) for code in codes.flatten().tolist()]
    if len(kinds) != len(values):
        return []
    pairs = enumerate(zip(kinds, values, strict=True))
    return [
        attribute_control(name, index, len(values), value)
        for index, (kind, value) in pairs
        if _is(kind, value)
    ]


def _is(kind: int, value: object) -> bool:
    """Tell whether a value is of a live kind, and what its code says."""
    if not 0 <= kind < len(_KINDS) or type(value) is not _KINDS[kind]:
        return False
    return math.isfinite(value) and abs(value) <= LARGEST_VALUE / 2


def _sample_rate(said: object) -> int | None:
    """Return a rate in Hz; None for no rate, 0 and the like."""
    rate = said[0] if isinstance(said, tuple | list) and said else said
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not math.isfinite(rate) or rate <= 0:
        return None
    return round(rate)
