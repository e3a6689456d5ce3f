"""ONNX Runtime playing one step after another: all buffers bound once, state swapped between two sets."""

from __future__ import annotations

import numpy as np
import onnxruntime

from bench.case import Case, NoiseFeed
from bench.exported import FRAMES, SOUND
from synthhost.core.arrays import Audio, Features


class OnnxPlayer:
    """One session with two bindings: what one step writes is what the other reads."""

    def __init__(self, case: Case) -> None:
        exported = case.exported
        self.form = "whole pass" if case.whole else "state bound, two buffers"
        self._session = onnxruntime.InferenceSession(
            exported.model, _options(case.threads), providers=["CPUExecutionProvider"]
        )
        self._frames = np.zeros(exported.frames_shape, np.float32)
        self._sound = np.zeros(exported.sound_shape, np.float32)
        self._noises = [np.zeros((case.voices, samples), np.float32) for samples in exported.noise_samples]
        self._noise = NoiseFeed(exported, case.voices, self._noises)
        self._states = [[np.zeros(shape, np.float32) for shape in exported.state_shapes] for _ in range(2)]
        self._bindings = [self._binding(case, 0, 1), self._binding(case, 1, 0)]
        self._turn = 0

    def step(self, frames: Features) -> Audio:
        """Play the next frames."""
        self._frames[:] = frames
        self._noise.advance()
        self._session.run_with_iobinding(self._bindings[self._turn])
        self._turn = 1 - self._turn
        return self._sound

    def _binding(self, case: Case, read: int, written: int) -> onnxruntime.IOBinding:
        binding, exported = self._session.io_binding(), case.exported
        given = dict(zip(exported.noise_names, self._noises, strict=True)) | {FRAMES: self._frames}
        made = {SOUND: self._sound}
        states = zip(exported.state_names, self._states[read], self._states[written], strict=True)
        for (before, after), old, new in states:
            given[before], made[after] = old, new
        for name, array in given.items():
            binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        for name, array in made.items():
            binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        return binding


def _options(threads: int) -> onnxruntime.SessionOptions:
    """Return every optimisation, so many threads, and numbers too small to matter taken for zero."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    options.log_severity_level = 3  # errors alone
    return options
