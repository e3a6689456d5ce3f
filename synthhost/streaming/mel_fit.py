"""Sound is brought near to the mel frames that it was made of: what a generator missed of them is mended.

Of every frame's window the bands are measured and compared with the frame; every bin is made louder or softer
by what its bands lack, and windows are laid over each other again, some rounds of it. That is iterative
spectrogram inversion in real time (Zhu, Beauregard and Wyse 2007), only that phases come from a generator and
magnitudes are mended rather than replaced: harmonics stay where they were. A hop sounds as soon as the last
frame is there whose window reaches into it, and stays as it is; the next one fades over from what it seemed
to be until then, so that hops meet without an edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthhost.core.draws import Draws
from synthhost.streaming.block import Block, State

MOST_REACH = 3
LOUDEST = 8.0
"""What a sample is held within."""

MOST_LOUDER, MOST_SOFTER = 3.0, 6.0
"""Nats by which a round changes a band at most."""

_LEAST_OVERLAP = 1e-2


@dataclass(slots=True)
class MelFitState(State):
    """The last rows.

    Attributes:
        rows: That still count, `[batch, rows, bands + hop]`.
        made: The last ones made, `[batch, rows, (reach + 1) * hop]`.
        done: How many have been made in all.
    """

    rows: Tensor
    made: Tensor
    done: int


class MelFit(Block[MelFitState]):
    """Takes rows of a frame's bands and a hop of sound, and makes rows of sound.

    A row holds the hop that is decided and the `reach` hops behind it as they seem by then. Frames are
    natural logarithms of what a filter bank sums of magnitudes; frame n's window lies around hop n. What
    is no number shows in the rows that it reaches, and is silence for later ones.

    Attributes:
        n_fft: Samples of a window.
        made_channels: Of a row that is made.
        reach: Hops that a window reaches beyond its own on either side; frames that are waited for.
        windows: By hops that are missing of what a window covers, `[reach + 1, n_fft]`; the last is whole.
        lacking: What is added to the levels of each for the energy that it lacks, in nats, `[reach + 1]`.
        fade: How much of what was mended counts, from the first sample that has not sounded on, `[hop // 2]`.
        bank: `[bands, bins]`.
        between: Shares of every bin in the gains of the bands around it, `[bins, bands]`.
    """

    windows: Tensor
    lacking: Tensor
    fade: Tensor
    bank: Tensor
    between: Tensor

    def __init__(self, bank: NDArray[np.float64], hop: int, floor: float, rounds: int) -> None:
        """Say how frames are made, and how often sound is mended.

        Args:
            bank: Weights of every band over the spectrum's bins, `[bands, n_fft // 2 + 1]`.
            hop: Samples from one frame to the next.
            floor: The least that a band counts as before the logarithm.
            rounds: Of mending a hop while it is the newest one, the next one, and so on.
        """
        super().__init__()
        bins = int(bank.shape[1])
        self.bands = int(bank.shape[0])
        self.n_fft, self.hop, self.floor, self.rounds = 2 * (bins - 1), hop, floor, rounds
        assert self.n_fft > hop >= 1, (self.n_fft, hop)
        assert (self.n_fft - hop) % 2 == 0, (self.n_fft, hop)
        self.before = (self.n_fft - hop) // 2
        self.reach = -(-self.before // hop)
        assert self.reach <= MOST_REACH, self.reach
        assert rounds >= 1, rounds
        self.in_channels = self.bands + hop
        self.out_channels = self.made_channels = (self.reach + 1) * hop
        windows = fading_windows(self.n_fft, hop)
        energies = np.square(windows).sum(1)
        with torch.device("cpu"):
            self.register_buffer("windows", torch.from_numpy(windows).float(), persistent=False)
            lacking = 0.5 * np.log(energies[-1] / energies)
            self.register_buffer("lacking", torch.from_numpy(lacking).float(), persistent=False)
            self.register_buffer("fade", torch.from_numpy(_rising(hop // 2)).float(), persistent=False)
            self.register_buffer("bank", torch.from_numpy(bank).float(), persistent=False)
            self.register_buffer("between", torch.from_numpy(_between(bank)).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mend a whole stream, `[batch, bands + hop, frames]`."""
        state = self.new_state(x.shape[0])
        return self.finish(x.transpose(1, 2), state).transpose(1, 2)

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> MelFitState:
        """Return the state of a stream that has not begun."""
        rows = torch.zeros(batch, 0, self.bands + self.hop)
        return MelFitState(batch, rows, torch.zeros(batch, 0, self.made_channels), 0)

    def step(self, x: Tensor, state: MelFitState) -> Tensor:
        """Take the next rows and return those that are decided. [render thread]"""
        return self._run(x, state, ending=False)

    def finish(self, x: Tensor, state: MelFitState) -> Tensor:
        """Take the last rows and return the rest. [render thread]"""
        return self._run(x, state, ending=True)

    def ready(self, n_inputs: int) -> int:
        """Return `n_inputs` less what is waited for."""
        return max(n_inputs - self.reach, 0)

    def total(self, n_inputs: int) -> int:
        """Return `n_inputs`."""
        return n_inputs

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the range and `reach` rows on either side.

        What has sounded before is left out: a hop goes by those before it too, and so by theirs, which fades
        to a thousandth within some 40 hops.
        """
        return first - self.reach, last + self.reach

    def _run(self, x: Tensor, state: MelFitState, *, ending: bool) -> Tensor:
        """Make every row that is decided. [render thread]"""
        begin = max(state.done - self.reach, 0)  # which row the first one kept is
        rows = torch.cat((state.rows.to(x), x), 1)
        total = begin + rows.shape[1]
        decided = total if ending else self.ready(total)
        made = state.made.to(x)
        fresh = [made[:, :0]]
        for row in range(state.done, decided):
            last = min(row + self.reach + 1, total)
            fresh.append(self._row(rows, begin, row, last, made)[:, None])
            made = torch.cat((made, fresh[-1]), 1)[:, -2 * self.reach :]
        state.done = max(state.done, decided)
        state.rows = rows[:, max(state.done - self.reach, 0) - begin :]
        state.made = made
        return torch.cat(fresh, 1)

    def _row(self, rows: Tensor, begin: int, row: int, last: int, made: Tensor) -> Tensor:
        """Return hop `row` and those behind it, `[batch, (reach + 1) * hop]`. [render thread]

        Args:
            rows: Kept ones, from row `begin` on.
            begin: Which row the first kept one is.
            row: The hop that is decided.
            last: One past the last row that counts.
            made: Rows made before.
        """
        hop, reach, batch = self.hop, self.reach, rows.shape[0]
        sound = rows[:, :, self.bands :]
        settled = made[:, :, :hop].reshape(batch, -1)
        silence = rows.new_zeros(batch, 2 * reach * hop - settled.shape[1])
        known = last - row
        if row:
            going_on = made[:, -1, hop:][:, : known * hop]
            newest = sound[:, row + reach - begin : last - begin]
        else:
            going_on, newest = rows.new_zeros(batch, 0), sound[:, :last]
        heard = _bounded(torch.cat((silence, settled, going_on, newest.reshape(batch, -1)), 1))
        first = max(row - reach, 0)
        wanted = rows[:, first - begin : last - begin, : self.bands]
        unknown = wanted.isnan().any(2).any(1) | newest.isnan().any(2).any(1)
        for _ in range(self.rounds):
            heard = self._mended(heard, wanted, row - first)
        fresh = torch.nn.functional.pad(heard[:, 2 * reach * hop :], (0, (reach + 1 - known) * hop))
        return torch.where(unknown[:, None], torch.nan, fresh)

    def _mended(self, heard: Tensor, wanted: Tensor, before: int) -> Tensor:
        """Return samples nearer to their frames; those that have sounded stay. [render thread]

        Args:
            heard: From `2 * reach` hops before the one that is decided on, `[batch, samples]`.
            wanted: Frames whose windows lie in it, `[batch, frames, bands]`.
            before: How many of them lie before the hop that is decided.
        """
        hop, size, count = self.hop, self.n_fft, wanted.shape[1]
        start = (2 * self.reach - before) * hop - self.before
        missing = [min(count - 1 - frame, self.reach) for frame in range(count)]
        window = self.windows[missing]
        longer = torch.nn.functional.pad(heard, (0, size))
        pieces = longer[:, start:].unfold(1, size, hop)[:, :count] * window
        spectrum = torch.fft.rfft(pieces)
        levels = (spectrum.abs() @ self.bank.T).clamp(min=self.floor).log() + self.lacking[missing][:, None]
        gains = (wanted - levels).clamp(-MOST_SOFTER, MOST_LOUDER).exp() @ self.between.T
        parts = torch.fft.irfft(spectrum * gains, size) * window
        total, overlap = torch.zeros_like(longer), torch.zeros_like(longer[0])
        for frame in range(count):
            place = slice(start + frame * hop, start + frame * hop + size)
            total[:, place] += parts[:, frame]
            overlap[place] += window[frame].square()
        settled, begun = 2 * self.reach * hop, 2 * self.reach * hop + self.fade.shape[0]
        made = _bounded((total / overlap.clamp(min=_LEAST_OVERLAP))[:, settled : heard.shape[1]])
        before_it = heard[:, settled:begun]
        over = before_it + self.fade * (made[:, : begun - settled] - before_it)
        return torch.cat((heard[:, :settled], over, made[:, begun - settled :]), 1)


def fading_windows(n_fft: int, hop: int) -> NDArray[np.float64]:
    """Return Hann's window, less what is not there yet: cut short by hops, and faded over the last one.

    Returns:
        `[reach + 1, n_fft]`; of the first a hop is there beyond its middle, of each next one a hop more.
    """
    whole = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n_fft) / n_fft)
    before = (n_fft - hop) // 2
    reach = -(-before // hop)
    fade = _rising(hop)[::-1]
    windows = np.tile(whole, (reach + 1, 1))
    for missing in range(reach):
        there = before + (missing + 1) * hop
        windows[missing, there - hop : there] *= fade
        windows[missing, there:] = 0.0
    return windows


def _rising(count: int) -> NDArray[np.float64]:
    """Return how what fades in rises from 0 to 1, `[count]`."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * (np.arange(count) + 0.5) / max(count, 1)))


def _bounded(sound: Tensor) -> Tensor:
    """Return samples that are numbers and not too loud. [render thread]"""
    return torch.nan_to_num(sound, nan=0.0).clamp(-LOUDEST, LOUDEST)


def _between(bank: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much of every band's gain a bin takes: a line from the middle of one band to the next.

    The lowest bin takes none: a constant offset is in no band, and not wanted.
    """
    bands, bins = bank.shape
    weights = bank.sum(1)
    middles = np.where(weights > 0.0, bank @ np.arange(bins) / np.maximum(weights, 1e-12), np.nan)
    told = np.flatnonzero(~np.isnan(middles))
    shares, places = np.zeros((bins, bands)), np.arange(bins)
    for band in told:
        shares[1:, band] = np.interp(places[1:], middles[told], (told == band).astype(float))
    return shares
