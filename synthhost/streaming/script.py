"""A TorchScript module with the interface nn~ reads, as it is played: `decode` turns vectors into sound.

The module is a stranger's program. It keeps what it remembers inside itself, so every stream plays a copy of
its own, and what it draws comes out of torch's generator, seeded before every step and put back after it.
Whether the sound depends on how a stream is cut into steps is up to the program; where it draws, it does.
"""

from __future__ import annotations

import contextlib
import copy
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from synthhost.core.errors import ModelError
from synthhost.core.params import ParamSpec

_DRAWS = re.compile(r"aten::(?:rand|normal|bernoulli|dropout|multinomial|uniform|poisson|exponential|rrelu)")
_CALLS = re.compile(r"prim::(?:CallMethod|CallFunction|fork)")  # what inlining left, and may draw
_LONGEST_REASON = 160


@dataclass(frozen=True, slots=True)
class ScriptControl:
    """One number of one attribute of a module: attributes are tuples of bool, int, float and other values."""

    spec: ParamSpec
    attribute: str
    place: int  # in the attribute's tuple

    def typed(self, value: float) -> bool | int | float:
        """Return a value of the type the module's setter takes. [render thread]"""
        kind = self.spec.kind
        return value >= 0.5 if kind == "bool" else round(value) if kind == "int" else float(value)


class Script:
    """A loaded module and what is known of its `decode`.

    Attributes:
        latents: Dimensions of a latent vector.
        hop_samples: Samples that one vector becomes.
        receptive_frames: Vectors that a sample depends on, as measured.
        own_controls: The module's attributes, number by number.
        draws: Whether `decode` or `encode` may take random numbers.
        encodes: Whether it also has an `encode` that turns sound into its vectors.
    """

    def __init__(
        self,
        module: Any,
        latents: int,
        hop_samples: int,
        receptive_frames: int,
        own_controls: tuple[ScriptControl, ...] = (),
        *,
        encodes: bool = False,
    ) -> None:
        self.latents = latents
        self.hop_samples = hop_samples
        self.receptive_frames = receptive_frames
        self.own_controls = own_controls
        self._module = module
        self._by_name = {control.spec.name: control for control in own_controls}
        self.encodes = encodes
        self.draws = _may_draw(module.decode) or (encodes and _may_draw(module.encode))

    def fresh(self) -> Any:
        """Return a module for one stream that has not begun."""
        return copied(self._module)

    def decode(self, module: Any, vectors: Tensor, seed: int) -> Tensor:
        """Run the next vectors, `[latents, frames]`, through a stream's module; `[samples]`.

        Several channels of sound are averaged.

        Args:
            module: The stream's, from `fresh` or `copied`.
            vectors: In the order of time.
            seed: Of what the module draws in this step.

        Raises:
            ModelError: The program failed, or returned no sound of the promised length.

        [render thread]
        """
        samples = vectors.shape[1] * self.hop_samples
        sound = self._run(module.decode, "decode", vectors[None], seed)
        if sound.shape[0] != 1 or sound.shape[1] < 1 or sound.shape[2] != samples:
            raise ModelError(
                f"The model's own program returned {list(sound.shape)} where [1, channels, {samples}] was "
                "promised; it may not play in steps of this length."
            )
        return sound[0].float().mean(dim=0)

    def encode(self, module: Any, sound: Tensor, seed: int) -> Tensor:
        """Run sound, `[frames * hop_samples]`, through a module's encoder; `[latents, frames]`.

        Raises:
            ModelError: The program failed, or returned no vectors of the promised number.
        """
        vectors = self._run(module.encode, "encode", sound[None, None], seed)
        if list(vectors.shape) != [1, self.latents, sound.shape[0] // self.hop_samples]:
            raise ModelError(f"The model's own program returned {list(vectors.shape)} vectors of the sound.")
        return vectors[0].float()

    def set_control(self, module: Any, name: str, value: float) -> None:
        """Set one number of an attribute of a stream's module, unless it stands there already.

        Raises:
            ModelError: The program failed or refused the value.

        [render thread]
        """
        control = self._by_name[name]
        values = attribute_values(module, control.attribute)
        wanted = control.typed(value)
        if len(values) <= control.place:
            raise ModelError(f"{name}: the model's own program no longer has a value there.")
        if values[control.place] == wanted:
            return
        values[control.place] = wanted
        with undisturbed():
            try:
                refused = getattr(module, f"set_{control.attribute}")(*values)
            except Exception as error:
                raise ModelError(f"{name}: the model's own program failed: {reason(error)}.") from error
        if isinstance(refused, int) and refused:
            raise ModelError(f"{name}: the model's own program refuses {wanted}.")

    def _chance(self, seed: int) -> contextlib.AbstractContextManager[None]:
        """Seed torch's generator for as long as a step takes, if the module draws. [render thread]"""
        return seeded(seed) if self.draws else contextlib.nullcontext()

    def _run(self, method: Any, name: str, given: Tensor, seed: int) -> Tensor:
        """Call a method with `[1, channels, time]` and return what has as many axes. [render thread]"""
        with self._chance(seed), undisturbed():
            try:
                found = method(given)
            except Exception as error:
                raise ModelError(f"The model's own program failed in {name!r}: {reason(error)}.") from error
        if not isinstance(found, Tensor) or found.ndim != 3 or not found.is_floating_point():
            raise ModelError(f"The model's own program returned no [batch, channels, time] from {name!r}.")
        return found


def attribute_values(module: Any, attribute: str) -> list[Any]:
    """Return the values of an attribute; getters give a tuple, or hand-written ones a bare value.

    Raises:
        ModelError: The program failed.

    [render thread]
    """
    with undisturbed():
        try:
            value = getattr(module, f"get_{attribute}")()
        except Exception as error:
            raise ModelError(f"{attribute}: the model's own program failed: {reason(error)}.") from error
    return list(value) if isinstance(value, tuple | list) else [value]


def copied(module: Any) -> Any:
    """Return an independent module that remembers the same.

    A module that says itself how it is saved would share its lists with a plain copy: it is saved and read.

    Raises:
        ModelError: The program failed.
    """
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch.jit as a whole
        try:
            if not any(part._c._has_method("__setstate__") for part in module.modules()):
                return copy.deepcopy(module)
            saved = io.BytesIO(module.save_to_buffer())
            return torch.jit.load(saved, map_location="cpu")  # type: ignore[no-untyped-call]
        except Exception as error:
            raise ModelError(f"The model's own program cannot be copied: {reason(error)}.") from error


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Run modules without gradients, and plainly: optimising would make their first steps late and unlike.

    [render thread]
    """
    with torch.inference_mode(), torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
        yield


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let torch's generator draw by a seed for a while, then go on as if nothing had been drawn.

    The generator is the process's: what another thread draws meanwhile is taken from the same numbers.

    [render thread]
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def reason(error: Exception) -> str:
    """Return the last line of what TorchScript says, fit to be shown. [render thread]"""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = "".join(letter for letter in lines[-1] if letter.isprintable()) if lines else type(error).__name__
    return said[:_LONGEST_REASON].rstrip(". ")


def _may_draw(method: Any) -> bool:
    """Return whether anything a method calls can take random numbers."""
    graph = str(method.inlined_graph)
    return bool(_DRAWS.search(graph) or _CALLS.search(graph))
