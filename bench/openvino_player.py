"""OpenVINO playing one step after another: state given and taken, or kept inside; the faster one plays."""

from __future__ import annotations

import io
from time import perf_counter
from typing import Any

import numpy as np
import openvino
from openvino._offline_transformations import apply_make_stateful_transformation

from bench.case import Case, NoiseFeed, Player
from bench.exported import FRAMES, SOUND, Exported
from synthhost.core.arrays import Audio, Features

_TRIES, _TRY_S = 4, 0.08  # of either form, by turns


def openvino_player(case: Case) -> Player:
    """Return the faster of both forms, tried here and now, as if it had not played yet."""
    if case.whole:
        return ExplicitPlayer(case)
    forms = (ExplicitPlayer, StatefulPlayer)
    players = [form(case) for form in forms]
    best_s = [float("inf")] * len(players)
    for _ in range(_TRIES):
        for place, player in enumerate(players):
            best_s[place] = min(best_s[place], _median_step_s(player, case))
    return forms[int(np.argmin(best_s))](case)


class ExplicitPlayer:
    """Two requests of one compiled model: what one writes is what the other reads."""

    def __init__(self, case: Case) -> None:
        exported = case.exported
        self.form = "whole pass" if case.whole else "state given and taken, two buffers"
        compiled = _compiled(_read(exported), case.threads)
        noises = [_allocated((case.voices, samples)) for samples in exported.noise_samples]
        self._noise = NoiseFeed(exported, case.voices, [noise.data for noise in noises])
        self._frames = _allocated(exported.frames_shape)
        self._sound = _allocated(exported.sound_shape)
        states = [[_allocated(shape) for shape in exported.state_shapes] for _ in range(2)]
        self._requests = [compiled.create_infer_request() for _ in range(2)]
        for turn, request in enumerate(self._requests):
            _set_inputs(request, exported, self._frames, noises)
            request.set_tensor(SOUND, self._sound)
            for (before, after), old, new in zip(
                exported.state_names, states[turn], states[1 - turn], strict=True
            ):
                request.set_tensor(before, old)
                request.set_tensor(after, new)
        self._turn = 0

    def step(self, frames: Features) -> Audio:
        """Play the next frames."""
        self._frames.data[:] = frames
        self._noise.advance()
        self._requests[self._turn].infer()
        self._turn = 1 - self._turn
        sound: Audio = self._sound.data
        return sound


class StatefulPlayer:
    """One request that keeps the state inside."""

    form = "stateful"

    def __init__(self, case: Case) -> None:
        exported = case.exported
        model = _read(exported)
        apply_make_stateful_transformation(model, dict(exported.state_names))
        noises = [_allocated((case.voices, samples)) for samples in exported.noise_samples]
        self._noise = NoiseFeed(exported, case.voices, [noise.data for noise in noises])
        self._frames = _allocated(exported.frames_shape)
        self._sound = _allocated(exported.sound_shape)
        self._request = _compiled(model, case.threads).create_infer_request()
        _set_inputs(self._request, exported, self._frames, noises)
        self._request.set_tensor(SOUND, self._sound)
        for state in self._request.query_state():
            state.reset()

    def step(self, frames: Features) -> Audio:
        """Play the next frames."""
        self._frames.data[:] = frames
        self._noise.advance()
        self._request.infer()
        sound: Audio = self._sound.data
        return sound


def _read(exported: Exported) -> Any:
    return openvino.Core().read_model(io.BytesIO(exported.model))


def _compiled(model: Any, threads: int) -> Any:
    """Compile for the least latency, in float32: on some processors it would take bfloat16 by itself."""
    wanted = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
        "CPU_DENORMALS_OPTIMIZATION": True,
    }
    return openvino.Core().compile_model(model, "CPU", wanted)


def _allocated(shape: tuple[int, ...]) -> Any:
    """Return zeros in memory that requests keep as long as they need it."""
    tensor = openvino.Tensor(openvino.Type.f32, openvino.Shape(list(shape)))
    tensor.data[:] = 0.0
    return tensor


def _set_inputs(request: Any, exported: Exported, frames: Any, noises: list[Any]) -> None:
    request.set_tensor(FRAMES, frames)
    for name, noise in zip(exported.noise_names, noises, strict=True):
        request.set_tensor(name, noise)


def _median_step_s(player: Player, case: Case) -> float:
    frames, spent = case.features[:, :, : case.chunk_frames], list[float]()
    while sum(spent) < _TRY_S or len(spent) < 2:
        begun_s = perf_counter()
        player.step(frames)
        spent.append(perf_counter() - begun_s)
    return float(np.median(spent))
