"""Sample loops of autoregressive networks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

def processor_level() -> str:
    """Return what the loops run on: "x86-64-v4", "x86-64-v3", or "baseline" for any processor.

    It is the best that this processor runs, or what the environment's SYNTHHOST_PROCESSOR names, read once.

    Raises:
        ValueError: That names a level which is unknown or cannot run here.
    """

def processor_levels() -> list[str]:
    """Return all levels that can run here, the plainest first."""

def float32_gflops(seconds: float) -> float:
    """Return the most float32 operations that one core does at the level in use, in 1e9 a second.

    Multiply-additions (two operations each) in registers alone; the best of many short pieces counts.

    Args:
        seconds: How long to try.
    """

def int8_gops(seconds: float) -> float | None:
    """Return the same for products of bytes summed in int32 (VNNI); None where the level in use has none."""

def read_gb_per_second(kibibytes: int, seconds: float) -> float:
    """Return how fast one core reads an array of so many KiB over and over, in 1e9 bytes a second.

    Raises:
        ValueError: Less than one KiB, or more than 4 GiB.
    """

class WavenetState:
    """What one voice of a WaveNet remembers."""

    def copy(self) -> WavenetState:
        """Return an independent state with the same future. [render thread]"""

class WavenetLoop:
    """WaveNet's recurrence with its weights laid out; any number of voices and threads share it.

    All arrays are C-contiguous. Scales of the network are folded into the weights by whoever gives them.

    Args:
        first: What an id, or a value, becomes, `[classes or 1, residual]`.
        first_bias: `[residual]`.
        dilations: Of each layer, in samples.
        kernel: Taps of every layer.
        gate: "tanh-sigmoid", with twice the gated channels, or "relu".
        convs: `[layers, gates, kernel * residual]`, oldest tap first.
        conv_biases: `[layers, gates]`.
        conditions: `[layers, gates, conditions]`; no conditions for what runs by itself.
        mixes: `[layers, residual + skip, gated]`.
        mix_biases: `[layers, residual + skip]`.
        residual_scale: On a layer's input, before its output is added.
        heads: Each behind a rectifier, `[out, in]`; the last gives the distribution.
        head_biases: `[out]` of each.
        distribution: What is drawn from: "softmax", "logistics" or "normal".
        levels: Ids 0 to `levels` stand for -1 to 1.
        companding: mu of the mu-law that turns those into amplitudes; 0: none.
        de_emphasis: Pole of the filter that undoes pre-emphasis; 0: none.
        gain: On the sound.
        start: What the network hears first: an id, or a value.
        dc_pole: Pole of the filter that takes the mean away, last; the network does not hear it. 0: none.
        precision: How weights are stored: "float32", or "float16" (IEEE 754), which takes half the memory.
            Sums are of float32 in any.
        level: Of `processor_levels()`; empty: the one in use.

    Attributes:
        conditions: Channels that condition a sample.
        uniforms: Values uniform in (0, 1) that one sample needs.
        normals: Standard normal values that one sample needs.
        outputs: Logits, or parameters of the distribution, that one sample is drawn from.
        weight_bytes: What its matrices take in memory.

    Raises:
        ValueError: Sizes do not fit; the message names what.
    """

    def __init__(
        self,
        *,
        first: NDArray[np.float32],
        first_bias: NDArray[np.float32],
        dilations: Sequence[int],
        kernel: int,
        gate: str,
        convs: NDArray[np.float32],
        conv_biases: NDArray[np.float32],
        conditions: NDArray[np.float32],
        mixes: NDArray[np.float32],
        mix_biases: NDArray[np.float32],
        residual_scale: float,
        heads: Sequence[NDArray[np.float32]],
        head_biases: Sequence[NDArray[np.float32]],
        distribution: str,
        levels: float,
        companding: float,
        de_emphasis: float,
        gain: float,
        start: float,
        dc_pole: float = 0.0,
        precision: str = "float32",
        level: str = "",
    ) -> None: ...
    @property
    def conditions(self) -> int: ...
    @property
    def uniforms(self) -> int: ...
    @property
    def normals(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    @property
    def weight_bytes(self) -> int: ...
    def new_state(self) -> WavenetState:
        """Return the state of a voice that has not begun."""

    def run(
        self,
        condition: NDArray[np.float32],
        uniforms: NDArray[np.float64],
        normals: NDArray[np.float32],
        temperature: float,
        state: WavenetState,
        out: NDArray[np.float32],
        values: NDArray[np.float32] | None = None,
    ) -> None:
        """Make the next samples of one voice, without Python's lock.

        Args:
            condition: `[samples, conditions]`.
            uniforms: `[samples, uniforms]`.
            normals: `[samples, normals]`.
            temperature: 0 takes the likeliest.
            state: Of this voice; moved on.
            out: `[samples]`, written in place.
            values: `[samples]`, written in place with what was drawn: ids, or values before companding,
                filter and gain are undone.

        Raises:
            ValueError: Sizes do not fit, or the state belongs to another loop.

        [render thread]
        """

    def run_together(
        self,
        condition: NDArray[np.float32],
        uniforms: NDArray[np.float64],
        normals: NDArray[np.float32],
        temperature: float,
        states: Sequence[WavenetState],
        out: NDArray[np.float32],
    ) -> None:
        """Make the next samples of several voices in step, reading the weights once for up to eight of them.

        Every voice sounds as it would alone, to the bit.

        Args:
            condition: `[voices, samples, conditions]`.
            uniforms: `[voices, samples, uniforms]`.
            normals: `[voices, samples, normals]`.
            temperature: 0 takes the likeliest.
            states: One of each voice; moved on.
            out: `[voices, samples]`, written in place; there may be more between voices.

        Raises:
            ValueError: Sizes do not fit, a state belongs to another loop or stands twice.

        [render thread]
        """

    def predict(
        self,
        condition: NDArray[np.float32],
        values: NDArray[np.float32],
        state: WavenetState,
        outputs: NDArray[np.float32],
    ) -> None:
        """Write what each sample would be drawn from, if those before it had been drawn as told.

        The voice goes on as if all of them had been.

        Args:
            condition: `[samples, conditions]`.
            values: `[samples]`, as `run` gives them: ids, or values before companding, filter and gain are
                undone.
            state: Of this voice; moved on.
            outputs: `[samples, outputs]`, written in place.

        Raises:
            ValueError: Sizes do not fit, or the state belongs to another loop.
        """

    def hear(self, condition: NDArray[np.float32], values: NDArray[np.float32], state: WavenetState) -> None:
        """Let a voice hear ids or values in place of what it would have heard next, and go on from there.

        Args:
            condition: `[samples, conditions]`.
            values: `[samples]`; the last is what the next sample is made from.
            state: Of this voice; moved on.

        Raises:
            ValueError: Sizes do not fit, or the state belongs to another loop.
        """

class SampleRnnState:
    """What one voice of a SampleRNN remembers."""

    def copy(self) -> SampleRnnState:
        """Return an independent state with the same future. [render thread]"""

class SampleRnnLoop:
    """SampleRNN's recurrence with its weights laid out; any number of voices and threads share it.

    A voice begins with silence behind it, ids of half the levels. Tiers run at the samples that their spans
    divide, so the work comes in bursts: with spans of 16 and 64 samples and two layers each, every 16th
    sample costs about seven usual ones and every 64th twelve.

    All arrays are C-contiguous. Lists hold one array for each recurrent tier, the lowest first; gates are
    reset, update, new, below each other.

    Args:
        inputs: From the samples a frame covers, in -2 to 2, `[dim, span]`; a span is the tier's frame size
            times the span below.
        input_biases: `[dim]`.
        from_inputs: `[layers, 3 * dim, dim]`.
        from_input_biases: `[layers, 3 * dim]`.
        from_hiddens: `[layers, 3 * dim, dim]`.
        from_hidden_biases: `[layers, 3 * dim]`.
        starts: Hidden states that a voice begins with, `[layers, dim]`.
        upsamplings: What each position in a frame hears, `[frame_size, dim, dim]`.
        upsampling_biases: `[frame_size, dim]`.
        taps: What an id at each of the latest places adds, oldest first, `[frame_size, levels, dim]`.
        hidden: Behind a rectifier, `[dim, dim]`.
        hidden_bias: `[dim]`.
        output: Behind a rectifier, `[levels, dim]`.
        output_bias: `[levels]`.
        companding: mu of the mu-law that turns levels into amplitudes; 0: none.
        precision: How weights are stored: "float32", or "float16" (IEEE 754), which takes half the memory.
            Sums are of float32 in any.
        level: Of `processor_levels()`; empty: the one in use.

    Attributes:
        conditions: 0, it runs by itself.
        uniforms: Values uniform in (0, 1) that one sample needs.
        normals: Standard normal values that one sample needs.
        outputs: Logits, or parameters of the distribution, that one sample is drawn from.
        weight_bytes: What its matrices take in memory.

    Raises:
        ValueError: Sizes do not fit; the message names what.
    """

    def __init__(
        self,
        *,
        inputs: Sequence[NDArray[np.float32]],
        input_biases: Sequence[NDArray[np.float32]],
        from_inputs: Sequence[NDArray[np.float32]],
        from_input_biases: Sequence[NDArray[np.float32]],
        from_hiddens: Sequence[NDArray[np.float32]],
        from_hidden_biases: Sequence[NDArray[np.float32]],
        starts: Sequence[NDArray[np.float32]],
        upsamplings: Sequence[NDArray[np.float32]],
        upsampling_biases: Sequence[NDArray[np.float32]],
        taps: NDArray[np.float32],
        hidden: NDArray[np.float32],
        hidden_bias: NDArray[np.float32],
        output: NDArray[np.float32],
        output_bias: NDArray[np.float32],
        companding: float = 0.0,
        precision: str = "float32",
        level: str = "",
    ) -> None: ...
    @property
    def conditions(self) -> int: ...
    @property
    def uniforms(self) -> int: ...
    @property
    def normals(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    @property
    def weight_bytes(self) -> int: ...
    def new_state(self) -> SampleRnnState:
        """Return the state of a voice that has not begun."""

    def run(
        self,
        condition: NDArray[np.float32],
        uniforms: NDArray[np.float64],
        normals: NDArray[np.float32],
        temperature: float,
        state: SampleRnnState,
        out: NDArray[np.float32],
        values: NDArray[np.float32] | None = None,
    ) -> None:
        """Make the next samples of one voice, without Python's lock.

        Args:
            condition: `[samples, 0]`.
            uniforms: `[samples, 1]`.
            normals: `[samples, 0]`.
            temperature: 0 takes the likeliest.
            state: Of this voice; moved on.
            out: `[samples]`, written in place: `2 * id / levels - 1`.
            values: `[samples]`, written in place with the ids.

        Raises:
            ValueError: Sizes do not fit, or the state belongs to another loop.

        [render thread]
        """

    def run_together(
        self,
        condition: NDArray[np.float32],
        uniforms: NDArray[np.float64],
        normals: NDArray[np.float32],
        temperature: float,
        states: Sequence[SampleRnnState],
        out: NDArray[np.float32],
    ) -> None:
        """Make the next samples of several voices in step, reading the weights once for up to eight of them.

        Every voice sounds as it would alone, to the bit.

        Args:
            condition: `[voices, samples, conditions]`.
            uniforms: `[voices, samples, uniforms]`.
            normals: `[voices, samples, normals]`.
            temperature: 0 takes the likeliest.
            states: One of each voice; moved on.
            out: `[voices, samples]`, written in place; there may be more between voices.

        Raises:
            ValueError: Sizes do not fit, a state belongs to another loop or stands twice, or voices have not
                made equally many samples.

        [render thread]
        """

    def predict(
        self,
        condition: NDArray[np.float32],
        values: NDArray[np.float32],
        state: SampleRnnState,
        outputs: NDArray[np.float32],
    ) -> None:
        """Write what each sample would be drawn from, if those before it had been drawn as told.

        The voice goes on as if all of them had been.

        Args:
            condition: `[samples, conditions]`.
            values: `[samples]`, ids.
            state: Of this voice; moved on.
            outputs: `[samples, outputs]`, written in place.

        Raises:
            ValueError: Sizes do not fit, or the state belongs to another loop.
        """
