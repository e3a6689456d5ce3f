"""The back ends a benchmark can choose from, and how each is made to play; a new one is one entry more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType

from bench.case import Case, Player, RunnerPlayer
from synthhost.backends.torch_runner import TorchRunner
from synthhost.core.errors import ConfigError, suggestion
from synthhost.core.options import INT8

EXACT = 1e-4

_NATIVE = ("synthhost.backends.native_runner", "synthhost.native._loops", "synthhost.native._plan")
_COMPETITORS = "make bench, or: pip install -c constraints.txt -e '.[bench]'"


@dataclass(frozen=True, slots=True)
class Backend:
    """One way to compute a case.

    Attributes:
        needs: Modules that must be there.
        comes_with: How to get them.
        player: Makes it ready to play a case from the start.
        bound: How far its sound may be off torch's, as part of the peak. Float32 in another order stays below
            1e-5; what is allowed more than the default computes less exactly, and is measured on demand.
    """

    needs: tuple[str, ...]
    comes_with: str
    player: Callable[[Case], Player]
    bound: float = EXACT

    def missing(self) -> list[str]:
        """Return the modules that are not here."""
        return [name for name in self.needs if find_spec(name) is None]


def _native(case: Case) -> Player:
    runner = import_module("synthhost.backends.native_runner").NativeRunner
    return RunnerPlayer(case, runner(case.spec, case.block, threads=case.threads))


def _native_int8(case: Case) -> Player:
    runner = import_module("synthhost.backends.native_runner").NativeRunner
    return RunnerPlayer(case, runner(case.spec, case.block, threads=case.threads, precision=INT8))


def _torch(case: Case) -> Player:
    return RunnerPlayer(case, TorchRunner(case.spec, case.block))


def _onnxruntime(case: Case) -> Player:
    player: Player = import_module("bench.onnx_player").OnnxPlayer(case)
    return player


def _openvino(case: Case) -> Player:
    player: Player = import_module("bench.openvino_player").openvino_player(case)
    return player


BACKENDS: Mapping[str, Backend] = MappingProxyType(
    {
        "native": Backend(_NATIVE, "a C++ compiler and pip install -e .", _native),
        "native-int8": Backend(_NATIVE, "a C++ compiler and pip install -e .", _native_int8, bound=0.2),
        "torch": Backend(("torch",), "pip install torch", _torch),
        "onnxruntime": Backend(("onnx", "onnxruntime"), _COMPETITORS, _onnxruntime),
        "openvino": Backend(("onnx", "openvino"), _COMPETITORS, _openvino),
    }
)
"""By name, in the order in which they are shown."""


def installed() -> list[str]:
    """Return the back ends that can play here exactly."""
    return [name for name, one in BACKENDS.items() if one.bound <= EXACT and not one.missing()]


def absent() -> list[str]:
    """Return a sentence for every back end that cannot play here: what is missing and where to get it."""
    return [
        f"{name} is left out: {', '.join(backend.missing())} is not here ({backend.comes_with})."
        for name, backend in BACKENDS.items()
        if backend.missing()
    ]


def chosen(names: Iterable[str]) -> list[str]:
    """Return back ends that were asked for, in the table's order.

    Raises:
        ConfigError: One does not exist or is not installed.
    """
    wanted = set(names)
    for name in sorted(wanted):
        if name not in BACKENDS:
            raise ConfigError(
                f"--backends: there is no {name!r}.{suggestion(name, BACKENDS)} "
                f"There are {', '.join(BACKENDS)}."
            )
        missing = BACKENDS[name].missing()
        if missing:
            raise ConfigError(
                f"--backends: {name} needs {', '.join(missing)}, not here ({BACKENDS[name].comes_with})."
            )
    return [name for name in BACKENDS if name in wanted]
