"""Which runner computes what: the one place that knows all kinds of playable networks."""

from __future__ import annotations

from synthhost.backends.loop_runner import LoopRunner
from synthhost.backends.script_runner import ScriptRunner
from synthhost.backends.torch_runner import TorchRunner
from synthhost.core.params import ParamSpec
from synthhost.core.seams import Runner
from synthhost.core.specs import ModelSpec
from synthhost.streaming.autoregressive import Autoregressive
from synthhost.streaming.block import Block
from synthhost.streaming.playable import Playable
from synthhost.streaming.script import Script


def make_runner(spec: ModelSpec, playable: Playable | Script, controls: tuple[ParamSpec, ...] = ()) -> Runner:
    """Return a runner for a network as it is to be played.

    Raises:
        ConfigError: `spec` says something else than the network does.
    """
    if isinstance(playable, Script):
        return ScriptRunner(spec, playable, controls)
    if isinstance(playable, Autoregressive):
        return LoopRunner(spec, playable, controls)
    assert isinstance(playable, Block), type(playable)
    return TorchRunner(spec, playable, controls)
