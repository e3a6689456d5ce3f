"""The executor of streaming networks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

class PlanState:
    """What one voice remembers."""

    def copy(self) -> PlanState:
        """Return an independent state with the same future. [render thread]"""

    @property
    def taken(self) -> int:
        """How many frames came."""

class Plan:
    """A network as a flat list of nodes over streams; any number of voices and threads share it once sealed.

    Streams are numbered from 0, the input, in the order in which they are made. Nodes compute in the order in
    which they are added. `raw` takes a node's values, `active` takes `max(y, slope * y)` of them; -1: nobody.
    Arrays are float32, C-contiguous and copied.

    Args:
        channels: Of the input; 0 for frames of nothing.
        level: Of processor; "": the one in use.
        int8_way: How 8-bit integers are multiplied, one of `int8_ways(level)`; "": the fastest.

    Raises:
        ValueError: Sizes do not fit; the message names what.
    """

    def __init__(self, channels: int, level: str = "", int8_way: str = "") -> None: ...
    def stream(self, channels: int, channel_major: bool = False, edge: str = "zeros") -> int:
        """Make a stream; its edge, what stands before and after it, is "zeros", "reflect" or "replicate"."""

    def set_edge(self, stream: int, edge: str) -> None:
        """Say what stands before and after a stream."""

    def conv(
        self,
        input: int,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
        dilation: int,
        left: int,
        right: int,
        first: int = -1,
        second: int = -1,
        scale: float = 1.0,
        raw: int = -1,
        active: int = -1,
        slope: float = 0.0,
        layers: int = 0,
    ) -> None:
        """Add a convolution, `weight` `[out, in, taps]`; `first` and `second` are added, then scaled.

        With `layers`, weights are rounded to 8 bits, and the input has so many, written by `quantise`.
        """

    def quantise(self, input: int, output: int, layers: int) -> None:
        """Add what makes 8-bit integers of a stream, in 1 layer, or 2 of which the second is finer.

        Its output has `(channels + 3) // 4 + 2` channels for each.
        """

    def transposed(
        self,
        input: int,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
        stride: int,
        padding: int,
        longer: int,
        scale: float = 1.0,
        raw: int = -1,
        active: int = -1,
        slope: float = 0.0,
        layers: int = 0,
    ) -> None:
        """Add a transposed convolution, `[in, out, taps]`: n give `n * stride - padding + longer`.

        `layers` as for a convolution.
        """

    def mix(
        self, terms: Sequence[tuple[int, float, int]], raw: int = -1, active: int = -1, slope: float = 0.0
    ) -> None:
        """Add a sum of streams, each with its weight and its first channel."""

    def tanh(self, input: int, output: int) -> None:
        """Add a hyperbolic tangent."""

    def clamp(self, input: int, output: int, lowest: float, highest: float) -> None:
        """Add bounds."""

    def leaky(self, input: int, output: int, slope: float) -> None:
        """Add a rectifier whose slope may be anything."""

    def affine(self, input: int, output: int, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        """Add a factor and an offset for every channel, `[channels]`."""

    def gate(self, input: int, output: int, tanh_first: bool) -> None:
        """Add `tanh(a) * sigmoid(b)` of the halves."""

    def modulate(self, input: int, film: int, raw: int = -1, active: int = -1, slope: float = 0.0) -> None:
        """Add `shift + scale * x`; `film` holds shifts, then scales."""

    def concat(self, inputs: Sequence[int], output: int) -> None:
        """Add the channels of all inputs."""

    def transpose(self, input: int, raw: int = -1, active: int = -1, slope: float = 0.0) -> None:
        """Add a change of layout."""

    def repeat(self, input: int, output: int, factor: int) -> None:
        """Add every moment `factor` times."""

    def decimate(self, input: int, output: int, factor: int, first: int, second: int) -> None:
        """Add, of every `factor` moments, the mean of two."""

    def interpolate(self, input: int, output: int, factor: int) -> None:
        """Add `factor` moments on the line between each two."""

    def lead(self, input: int, output: int, count: int) -> None:
        """Add the first moment `count` times more."""

    def extend(self, input: int, output: int, count: int, value: float) -> None:
        """Add `count` moments of one value after the end."""

    def crop(self, input: int, pace: int, output: int, rate: int, offset: int) -> None:
        """Keep what belongs to the n moments of `pace`, once it has ended: `n * rate + offset`."""

    def band_transposed(
        self,
        input: int,
        output: int,
        weight: NDArray[np.float32],
        bias: float,
        stride: int,
        padding: int,
        longer: int,
    ) -> None:
        """Add a transposed convolution of every band, `weight` `[neighbours, taps]`."""

    def oscillators(
        self,
        input: int,
        output: int,
        sample_rate: float,
        hop: int,
        harmonics: int,
        noise: NDArray[np.float32],
        lengths: list[int],
        middles: list[float],
    ) -> None:
        """Add harmonics and noise bands that follow frames; noise is `[bands, samples]`."""

    def turns(
        self, input: int, output: int, sample_rate: float, hop: int, lowest_hz: float, highest_hz: float
    ) -> None:
        """Make pitches, octaves above 1 Hz, into the frames that oscillators follow."""

    def centroid(self, input: int, output: int, first: float, apart: float, reach: int) -> None:
        """Make scores of places that lie evenly into the mean place around the highest."""

    def stack(self, input: int, output: int, hop: int) -> None:
        """Make samples of one channel into rows of `hop`."""

    def unstack(self, input: int, output: int, hop: int) -> None:
        """Make the first `hop` channels of rows into samples."""

    def mel_fit(
        self,
        input: int,
        output: int,
        hop: int,
        floor: float,
        rounds: int,
        bank: NDArray[np.float32],
        between: NDArray[np.float32],
        windows: NDArray[np.float32],
        lacking: NDArray[np.float32],
        fade: NDArray[np.float32],
    ) -> None:
        """Bring sound near to mel frames, rows of both into rows of sound.

        Args:
            input: `[bands + hop]` channels.
            output: `[(reach + 1) * hop]` channels.
            hop: Samples from one frame to the next.
            floor: The least that a band counts as.
            rounds: Of every step.
            bank: `[bands, n_fft / 2 + 1]`.
            between: `[n_fft / 2 + 1, bands]`.
            windows: `[reach + 1, n_fft]`, the last one whole.
            lacking: Of each in nats, `[reach + 1]`.
            fade: Of what was mended, behind what has sounded, `[hop // 2]`.
        """

    def positions(
        self, input: int, output: int, weight: NDArray[np.float32], bias: NDArray[np.float32]
    ) -> None:
        """Add a linear map by position, `[positions, out, in]` and `[positions, out]`."""

    def noise(self, pace: int, output: int, row: int) -> None:
        """Add noise beside a stream, from a row of what a run is given."""

    def floats_for(self, output: int, frames: int) -> int:
        """Return how many floats a state would take if the plan were sealed so."""

    def seal(self, output: int, frames: int) -> None:
        """Lay out memory for computing so many frames at a time, and add nothing more."""

    def ends(self, frames: int, closed: bool) -> list[int]:
        """Return how many moments every stream has when so many frames came. [render thread]"""

    @property
    def output_channels(self) -> int: ...
    @property
    def state_floats(self) -> int:
        """How large a state is; most of it is never touched unless it is needed."""

    def new_state(self) -> PlanState:
        """Return the state of a stream that has not begun."""

def run(
    shares: Sequence[
        tuple[PlanState, NDArray[np.float32], NDArray[np.float32], Sequence[int], NDArray[np.float32]]
    ],
    ending: bool,
    threads: int = 1,
) -> list[int]:
    """Run voices of one plan together, without Python's lock; return how much each wrote.

    Args:
        shares: Of every voice: its state; frames `[frames, channels]`; noise `[rows, samples]`; the moments
            that these rows begin with; where outputs go, `[room, channels]`.
        ending: Whether the streams end after these frames.
        threads: That work together at most, the caller's among them; their number changes no bit. There must
            be so many (`grow_crew`), and while another thread has them, the caller works alone.

    Raises:
        ValueError: Sizes do not fit, or states are of several plans.
        IndexError: There is too little room or noise.

    [render thread]
    """

def grow_crew(threads: int) -> int:
    """See to it that so many threads can work together, no more than there are cores; return how many can."""

def int8_ways(level: str = "") -> list[str]:
    """Return how 8-bit integers can be multiplied on a level of this processor, the slowest way first."""
