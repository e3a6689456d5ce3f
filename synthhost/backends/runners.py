"""Which runner computes what: the one place that knows all kinds of playable networks."""

from __future__ import annotations

from synthhost.backends.choice import choose
from synthhost.backends.graph_runner import GraphRunner
from synthhost.backends.loop_runner import LoopRunner
from synthhost.backends.native_runner import NativeRunner
from synthhost.backends.script_runner import ScriptRunner
from synthhost.backends.torch_runner import TorchRunner
from synthhost.backends.window_runner import WindowRunner
from synthhost.core.computing import AUTO, CPU, NATIVE
from synthhost.core.options import FLOAT32
from synthhost.core.params import ParamSpec
from synthhost.core.seams import Runner
from synthhost.core.specs import ModelSpec
from synthhost.streaming.autoregressive import Autoregressive
from synthhost.streaming.block import Block
from synthhost.streaming.playable import Playable
from synthhost.streaming.script import Script
from synthhost.streaming.window import Window


def make_runner(
    spec: ModelSpec,
    playable: Playable | Script,
    controls: tuple[ParamSpec, ...] = (),
    *,
    backend: str = AUTO,
    device: str = CPU,
    threads: int = 0,
    precision: str = FLOAT32,
) -> Runner:
    """Return a runner for a network as it is to be played.

    Args:
        spec: Of the model.
        playable: The network. One of blocks is moved to `device` and stays there.
        controls: What its streams can be told.
        backend: "auto", "native" or "torch"; see `synthhost.backends.choice.choose`.
        device: "cpu", "cuda" or "cuda:N".
        threads: That share a step of native code; 0: one.
        precision: "float32" or "int8"; autoregressive networks bring theirs.

    Raises:
        ConfigError: `spec` says something else than the network does, or what is asked for cannot be had.
    """
    computed = choose(spec.name, playable, backend, device, threads, precision)
    if isinstance(playable, Script):
        return ScriptRunner(spec, playable, controls)
    if isinstance(playable, Autoregressive):
        return LoopRunner(spec, playable, controls)
    assert isinstance(playable, Block), type(playable)
    if computed.backend == NATIVE and isinstance(playable, Window):
        return WindowRunner(spec, playable, controls, threads=computed.threads, precision=computed.precision)
    if computed.backend == NATIVE:
        return NativeRunner(spec, playable, controls, threads=computed.threads, precision=computed.precision)
    if computed.device != CPU:
        return GraphRunner(spec, playable.to(computed.device), controls)
    return TorchRunner(spec, playable, controls)
