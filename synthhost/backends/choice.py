"""Which back end and device compute a network: what can be had here, what was asked for, and why it is so."""

from __future__ import annotations

import os
from dataclasses import replace

import torch

from synthhost.backends.plan import native_refusal
from synthhost.core.computing import AUTO, CPU, NATIVE, TORCH, Computed, checked_device
from synthhost.core.errors import ConfigError
from synthhost.core.options import FLOAT32, INT8
from synthhost.native.compiled import why_missing
from synthhost.streaming.autoregressive import Autoregressive
from synthhost.streaming.block import AnyBlock, Block
from synthhost.streaming.playable import Playable
from synthhost.streaming.script import Script

ASKED = "asked for"


def choose(
    name: str,
    playable: Playable | Script,
    backend: str = AUTO,
    device: str = CPU,
    threads: int = 0,
    precision: str = FLOAT32,
) -> Computed:
    """Return what computes a network. A wish is met or refused, and never replaced by something else.

    Args:
        name: Of the model, for messages.
        playable: The network as it is played.
        backend: "auto", "native" or "torch".
        device: "cpu", "cuda" or "cuda:N".
        threads: That share a step, as many as there are cores at most; 0: one, to begin with.
        precision: "float32" or "int8"; of an autoregressive network whatever it has.

    Raises:
        ConfigError: What is asked for cannot be had, here or with this network.
    """
    computed = _chosen(name, playable, backend, device, int8=precision == INT8)
    if computed.backend == NATIVE and isinstance(playable, Block):
        there = min(threads, cores())
        few = f"; {there} threads, as there are no more cores" if there < threads else ""
        reason = f"{computed.reason}{few}"
        return replace(computed, threads=max(there, 1), precision=precision, reason=reason)
    if precision == INT8:
        raise ConfigError(
            f"{name}: 8-bit integers are computed by native code only, not by {computed.backend} on "
            f"{computed.device} ({computed.reason}). Ask for precision=float32."
        )
    if threads > 1:
        raise ConfigError(
            f"{name}: it is computed by {computed.backend} on {computed.device} ({computed.reason}), where "
            "threads share no steps. Ask for threads=0."
        )
    return replace(computed, precision=precision)


def _chosen(name: str, playable: Playable | Script, backend: str, device: str, *, int8: bool) -> Computed:
    """Choose back end and device."""
    place = present_device(name, device)
    if isinstance(playable, Script):
        return _only(name, TORCH, "it is a TorchScript program", backend, place)
    if isinstance(playable, Autoregressive):
        missing = why_missing()
        if missing is not None and backend != TORCH:
            raise ConfigError(
                f"{name}: autoregressive models need the compiled loops, and {missing}: install a C++ "
                "compiler and reinstall."
            )
        return _only(name, NATIVE, "it makes one sample after another", backend, place)
    if place != CPU:
        if backend == NATIVE:
            raise ConfigError(f"{name}: native code runs on the processor, not on {place}. Ask for torch.")
        return Computed(TORCH, place, ASKED if backend == TORCH else "native code runs on no GPU")
    return _of_block(name, playable, backend, int8=int8)


def _of_block(name: str, playable: Playable, backend: str, *, int8: bool) -> Computed:
    """Choose for a network of streaming blocks on the processor."""
    assert isinstance(playable, Block), type(playable)
    if backend == TORCH:
        return Computed(TORCH, CPU, ASKED)
    refused = native_refusal_of(playable, int8=int8)
    if refused is None:
        return Computed(NATIVE, CPU, ASKED if backend == NATIVE else "compiled for this network")
    if backend == NATIVE:
        raise ConfigError(f"{name}: native code cannot compute it: {refused}. Ask for auto or torch.")
    return Computed(TORCH, CPU, refused)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def native_refusal_of(block: AnyBlock, *, int8: bool = False) -> str | None:
    """Return in a few words why native code cannot compute a block here, or None where it can."""
    missing = why_missing()
    if missing is not None:
        return missing
    return native_refusal(block, int8=int8)


def _only(name: str, backend: str, because: str, asked: str, place: str) -> Computed:
    """Return the one back end there is for a network, on the processor; refuse other wishes."""
    if place != CPU:
        raise ConfigError(f"{name}: {because}, which runs on the processor only, not on {place}. Use cpu.")
    if asked not in (AUTO, backend):
        raise ConfigError(
            f"{name}: {because}, which only {backend} computes here. Ask for auto or {backend}."
        )
    return Computed(backend, CPU, ASKED if asked == backend else because)


def present_device(name: str, device: str) -> str:
    """Return a device that is there, a GPU by its number.

    Raises:
        ConfigError: It is no device, or this machine or this torch has none such.
    """
    try:
        place = checked_device(device)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error
    if place == CPU:
        return place
    if torch.version.cuda is None:
        raise ConfigError(
            f"{name}: {place} cannot be used, as torch {torch.__version__} was built without CUDA. Install "
            "a CUDA build of torch, or use cpu."
        )
    present = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(place.removeprefix("cuda:")) >= present:
        there = f"there are {present}, from cuda:0 on" if present else "torch finds no GPU on this machine"
        raise ConfigError(
            f"{name}: {place} cannot be used: {there}. Check the driver (nvidia-smi), or use cpu."
        )
    return place
