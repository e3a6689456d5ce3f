"""The sampler of a diffusion laid into one graph: noise, then one network after another, each a step cleaner.

Step n runs as far behind step n + 1 as its network looks ahead, so the whole is an exact stream whose
look-ahead is the sum. All steps share their weights; what a network is told of its step is a constant. Noise
stands beside the samples it is added to: row 0 of a tape begins, row k comes after step k, none in the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from synthhost.core.options import INT8, OptionSpec, OptionValue, precision_option
from synthhost.families.noise_schedule import FAST, MAX_STEPS, TRAINING, Betas, kept
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.graph import Graph, GraphBuilder, Stream
from synthhost.streaming.joins import Weigh
from synthhost.streaming.noise import Noise
from synthhost.streaming.pointwise import Clamp
from synthhost.streaming.window import windowed

EXACT, WINDOW = "exact", "window"

OPTIONS = (
    OptionSpec(
        "steps",
        0,
        "how many steps refine the noise: cost and look-ahead grow with them; 0: as many as the schedule "
        "has. With 'fast' a published list of that length is taken, that of training included; any other "
        "number spreads its levels evenly along the schedule",
        minimum=0,
        maximum=MAX_STEPS,
    ),
    OptionSpec(
        "schedule",
        FAST,
        f"how noisy each step is: '{TRAINING}', '{FAST}' (the short list that was published), betas with "
        "commas between them, least noise first, or a .npy or .pt file of them",
        file_of_numbers=True,
    ),
    OptionSpec(
        "mode",
        EXACT,
        f"'{EXACT}' waits for all that a sample depends on; '{WINDOW}' is not exact: a frame is made as if "
        "the sound ended window_samples after it, heard sooner and dearer, with an error that "
        "window_error in library/inexact.py measures",
        choices=(EXACT, WINDOW),
    ),
    OptionSpec(
        "window_samples",
        2048,
        f"how far mode '{WINDOW}' looks ahead, in whole frames; at the exact look-ahead it is exact",
        minimum=0,
        maximum=10_000_000,
    ),
    precision_option(INT8),
)


Fresh: TypeAlias = Callable[[], Stream]
"""Lays the noise that a step adds."""


class Update(Protocol):
    """How one step's network makes the signal cleaner."""

    def lay(self, graph: GraphBuilder, name: str, signal: Stream, found: Stream, noise: Fresh) -> Stream:
        """Lay the update and return the cleaner signal.

        Args:
            graph: Where.
            name: Begins the names of nodes.
            signal: Before.
            found: The noise that the network found in it.
            noise: Lays the fresh noise; not called where none is added.
        """


@dataclass(frozen=True, slots=True)
class Ancestral:
    """`signal * s - found * f + fresh noise * n`, held within -1 to 1 if `clamps`."""

    signal: float
    found: float
    noise: float
    clamps: bool

    def lay(self, graph: GraphBuilder, name: str, signal: Stream, found: Stream, noise: Fresh) -> Stream:
        """Lay the update and return the cleaner signal."""
        weights, streams = [self.signal, -self.found], [signal, found]
        if self.noise:
            weights.append(self.noise)
            streams.append(noise())
        cleaner = graph.join(f"{name}_update", Weigh(*weights), *streams)
        return graph.add(f"{name}_clamp", Clamp(-1.0, 1.0), cleaner) if self.clamps else cleaner


@dataclass(frozen=True, slots=True)
class Posterior:
    """The clean signal is estimated and held within -1 to 1; then `clean * c + signal * s + fresh noise * n`.

    The estimate is `signal * clean_signal - found * clean_found`.
    """

    clean_signal: float
    clean_found: float
    clean: float
    signal: float
    noise: float

    def lay(self, graph: GraphBuilder, name: str, signal: Stream, found: Stream, noise: Fresh) -> Stream:
        """Lay the update and return the cleaner signal."""
        estimate = graph.join(f"{name}_estimate", Weigh(self.clean_signal, -self.clean_found), signal, found)
        clean = graph.add(f"{name}_clamp", Clamp(-1.0, 1.0), estimate)
        weights, streams = [self.clean, self.signal], [clean, signal]
        if self.noise:
            weights.append(self.noise)
            streams.append(noise())
        return graph.join(f"{name}_update", Weigh(*weights), *streams)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what its network is told (a training step, or a level of the signal), and its update."""

    told: float
    update: Update


Denoise: TypeAlias = Callable[[str, float, Stream], Stream]
"""Lays one network: its nodes' names begin with the text, it is told the number, it gets the noisy signal."""


def lay_sampler(graph: GraphBuilder, clock: Stream, steps: Sequence[Step], denoise: Denoise) -> Stream:
    """Lay noise and the steps, the noisiest first, and return the sound.

    Args:
        graph: Where.
        clock: A stream as long as the sound that is never late.
        steps: In the order in which they are taken.
        denoise: Lays the network of one step.
    """
    signal = graph.add("noise_0", Noise(0), clock)
    for row, step in enumerate(steps, 1):
        found = denoise(f"step_{row}", step.told, signal)

        def fresh(row: int = row) -> Stream:
            return graph.add(f"noise_{row}", Noise(row), clock)

        signal = step.update.lay(graph, f"step_{row}", signal, found, fresh)
    return signal


def as_played(graph: Graph, options: Mapping[str, OptionValue]) -> AnyBlock:
    """Return a sampler under the options `mode` and `window_samples`."""
    return windowed(graph, int(options["window_samples"])) if options["mode"] == WINDOW else graph


def ancestral(betas: Betas, *, single: bool, clamps: bool) -> list[Ancestral]:
    """Return the updates of Ho, Jain, Abbeel 2020, the noisiest first.

    Args:
        betas: The schedule.
        single: Whether the schedule is worked out in float32, as in philsyn/DiffWave-unconditional.
        clamps: Whether the signal is held within -1 to 1 after every step, as in lmnt-com's programs.
    """
    alphas, energy = _single(betas) if single else (1.0 - np.asarray(betas), kept(betas))
    before = np.concatenate(([1.0], energy[:-1]))
    signal = 1.0 / np.sqrt(alphas)
    found = signal * (1.0 - alphas) / np.sqrt(1.0 - energy)
    noise = np.sqrt(np.asarray(betas) * (1.0 - before) / (1.0 - energy))
    updates = [
        Ancestral(float(signal[n]), float(found[n]), float(noise[n]), clamps) for n in range(len(betas))
    ]
    return updates[::-1]


def of_sound(update: Ancestral, energy: float) -> Ancestral:
    """Return the same update for a network that finds the clean sound instead of the noise.

    Noise is what is in a noisy signal beside the sound: `(signal - sqrt(energy) * sound) / sqrt(1 - energy)`.

    Args:
        update: For found noise.
        energy: The fraction of a signal's energy that is kept where it is found.
    """
    part = update.found / math.sqrt(1.0 - energy)
    return replace(update, signal=update.signal - part, found=-part * math.sqrt(energy))


def posterior(betas: Betas) -> tuple[list[Posterior], list[float]]:
    """Return the updates of ivanvovk/WaveGrad and its levels, the noisiest first.

    Worked out in float32 as there, which shows: with a first beta of 1e-6 the last step keeps 0.987 of the
    clean estimate and not all of it.

    Returns:
        The updates, and the root of the energy kept, which the network is told.
    """
    beta = torch.tensor(betas, dtype=torch.float32)
    alphas = 1 - beta
    energy = alphas.cumprod(0)
    before = torch.cat((torch.ones(1), energy[:-1]))
    floor = 1e-20  # of the variance, of which the logarithm is taken
    deviation = (0.5 * (beta * (1 - before) / (1 - energy)).clamp(min=floor).log()).exp()
    deviation[0] = 0.0  # no noise is added in the end
    columns = torch.stack(
        (
            (1 / energy).sqrt(),
            (1 / energy - 1).sqrt(),
            beta * before.sqrt() / (1 - energy),
            (1 - before) * alphas.sqrt() / (1 - energy),
            deviation,
        )
    )
    updates = [Posterior(*row) for row in columns.T.tolist()]
    return updates[::-1], energy.sqrt().flip(0).tolist()


def _single(betas: Betas) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return 1 - beta and its running product as float32 arithmetic gives them."""
    alphas = np.float32(1.0) - np.asarray(betas, dtype=np.float32)
    return alphas.astype(np.float64), np.multiply.accumulate(alphas).astype(np.float64)
