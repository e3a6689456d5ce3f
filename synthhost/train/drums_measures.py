"""What a model of drums is held to: hits are of the kind they should be, and are not copies of recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from synthhost.train.drum_material import Hits

Render = Callable[[NDArray[np.float32], NDArray[np.int64]], NDArray[np.float32]]
"""Makes hits, `[hits, samples]`, of places, `[hits, latent]`, and kinds, `[hits]`."""

_OF_A_KIND = 100  # hits made of each
_STEPS, _BATCH, _RATE = 500, 64, 2e-3
_JUDGES = 3
_FFT, _HOP, _BANDS, _PIECES = 1024, 256, 32, 24
_FLOOR = 1e-3
_LEAST_ACCURACY = 0.85
_TAIL_SAMPLES = 64
_NATS_DB = float(20.0 / np.log(10.0))


@dataclass(frozen=True, slots=True)
class DrumsMeasures:
    """What was found.

    Attributes:
        accuracy: Share of the hits made that a classifier takes for the kind they should be.
        of_kind: The same of every kind, by name.
        real_accuracy: Of recorded hits held out: how far the classifier itself can be trusted.
        nearest_db: From hits made to the nearest recording learned from, at the median, in dB.
        real_nearest_db: The same from recordings held out.
        copies: Share of the hits made nearer to one than nine in ten of those held out are.
        apart_db: Between two hits made of a kind, at the median.
        peak: Largest sample.
        dc: Largest mean of a hit, linear.
        onset_ms: After which a tenth of the peak is reached, at most, in 95 of 100 hits.
        tail_db: The loudest of a hit's last 64 samples beside its peak, at most, in 95 of 100.
    """

    accuracy: float
    of_kind: dict[str, float]
    real_accuracy: float
    nearest_db: float
    real_nearest_db: float
    copies: float
    apart_db: float
    peak: float
    dc: float
    onset_ms: float
    tail_db: float

    def failures(self) -> list[str]:
        """Return the gates that do not hold, in sentences."""
        failed = []
        if self.accuracy < _LEAST_ACCURACY:
            failed.append(
                f"{100 * self.accuracy:.1f} % of its hits are of their kind; "
                f"{100 * _LEAST_ACCURACY:.0f} % are asked for"
            )
        if self.dc > 0.02:
            failed.append(f"a hit has a mean of {self.dc:.3f}")
        return failed


def measure_drums(
    render: Render,
    latent: int,
    hits: Hits,
    played: Sequence[tuple[int, str]],
    sample_rate: int,
    seed: int = 0,
) -> DrumsMeasures:
    """Measure a model of drums on places drawn by chance, beside recordings that it has not learned from.

    Args:
        render: The model.
        latent: Dimensions of a place.
        hits: Recorded, of the kinds that it plays and perhaps of others that hits can be taken for.
        played: The kinds that it plays, in its order: which of the recorded kinds, and its name.
        sample_rate: In Hz.
        seed: Of all chance.
    """
    rng = np.random.default_rng(seed)
    drawn = np.repeat(np.arange(len(played)), _OF_A_KIND)
    made = render(rng.standard_normal((drawn.shape[0], latent)).astype(np.float32), drawn)
    kinds = np.array([kind for kind, _ in played])[drawn]
    learned, held_out = hits.sounds[~hits.held_out], hits.sounds[hits.held_out]
    count = max(int(hits.kinds.max()), *(kind for kind, _ in played)) + 1
    judges = [_Judge(learned, hits.kinds[~hits.held_out], count, seed + n) for n in range(_JUDGES)]
    right = _judged(judges, made) == kinds
    real = _judged(judges, held_out) == hits.kinds[hits.held_out]
    looks = {name: _looks(sounds) for name, sounds in (("made", made), ("in", learned), ("out", held_out))}
    nearest, real_nearest = (_nearest(looks[name], looks["in"]) for name in ("made", "out"))
    apart = [_distances(looks["made"][kinds == kind][:20]) for kind, _ in played]
    levels = np.abs(made)
    peaks = levels.max(1)
    onsets = (levels > 0.1 * peaks[:, None]).argmax(1) * (1000.0 / sample_rate)
    tails = levels[:, -_TAIL_SAMPLES:].max(1) / np.maximum(peaks, 1e-9)
    return DrumsMeasures(
        float(right.mean()),
        {name: float(right[kinds == kind].mean()) for kind, name in played},
        float(real.mean()),
        float(np.median(nearest)),
        float(np.median(real_nearest)),
        float((nearest < np.quantile(real_nearest, 0.1)).mean()),
        float(np.median(np.concatenate(apart))),
        float(peaks.max()),
        float(np.abs(made.mean(1)).max()),
        float(np.quantile(onsets, 0.95)),
        float(20.0 * np.log10(np.quantile(tails, 0.95) + 1e-6)),
    )


class _Judge:
    """A small classifier of hits, trained on recordings."""

    def __init__(self, sounds: NDArray[np.float32], kinds: NDArray[np.int64], count: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        state = torch.get_rng_state()
        torch.manual_seed(seed)
        self._network = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.LazyLinear(64),
            nn.ReLU(),
            nn.Linear(64, count),
        )
        looks, wanted = torch.from_numpy(_looks(sounds))[:, None], torch.from_numpy(kinds)
        self._network(looks[:1])
        optimiser = torch.optim.AdamW(self._network.parameters(), lr=_RATE, weight_decay=1e-2)
        weights = 1.0 / torch.bincount(wanted, minlength=count).clamp(min=1).float()
        for _ in range(_STEPS):
            some = torch.multinomial(weights[wanted], _BATCH, replacement=True, generator=generator)
            loss = F.cross_entropy(self._network(_varied(looks[some], generator)), wanted[some])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        self._network.eval()
        torch.set_rng_state(state)

    @torch.no_grad()
    def chances(self, sounds: NDArray[np.float32]) -> Tensor:
        """Return how likely hits are of every kind, `[hits, kinds]`."""
        chances: Tensor = self._network(torch.from_numpy(_looks(sounds))[:, None]).softmax(1)
        return chances


def _judged(judges: Sequence[_Judge], sounds: NDArray[np.float32]) -> NDArray[np.int64]:
    votes = torch.stack([judge.chances(sounds) for judge in judges]).mean(0)
    return np.asarray(votes.argmax(1).numpy(), np.int64)


def _varied(looks: Tensor, generator: torch.Generator) -> Tensor:
    """Return what hits look like a little higher or lower, tilted, and masked here and there."""
    count, bands = looks.shape[0], looks.shape[2]
    tilt = torch.randn(count, 1, 1, 1, generator=generator) * torch.linspace(-1.0, 1.0, bands)[:, None]
    shifts = torch.randint(-1, 2, (count,), generator=generator)
    moved = torch.stack([look.roll(int(shift), 1) for look, shift in zip(looks, shifts, strict=True)])
    return moved + tilt + 0.3 * torch.randn(moved.shape, generator=generator)


def _looks(sounds: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what hits look like, `[hits, bands, pieces]`: log energy in bands an equal ratio wide."""
    window = np.hanning(_FFT)
    padded = np.pad(sounds, ((0, 0), (_FFT // 2, _FFT)))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, _FFT, axis=1)[:, ::_HOP]
    edges = np.unique(np.geomspace(2, _FFT // 2, _BANDS + 1).round().astype(int))
    out = []
    for each in pieces:
        power = np.abs(np.fft.rfft(each * window)) ** 2
        summed = np.add.reduceat(power[:, : edges[-1]], edges[:-1], 1) / np.diff(edges)
        out.append(np.log(np.sqrt(summed) / (0.5 * window.sum()) + _FLOOR))
    looks = np.stack(out).transpose(0, 2, 1)
    steps = np.unique(np.geomspace(1, looks.shape[2], _PIECES + 1).round().astype(int) - 1)[:-1]
    counts = np.diff(np.append(steps, looks.shape[2]))
    return np.asarray(np.add.reduceat(looks, steps, 2) / counts, np.float32)


def _nearest(looks: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how far each is from the nearest other, in dB, the mean over bands and pieces."""
    flat = others.reshape(others.shape[0], -1)
    nats = [float(np.abs(flat - one.ravel()).mean(1).min()) for one in looks]
    return _NATS_DB * np.array(nats, np.float64)


def _distances(looks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how far each two are from each other, in dB."""
    flat = looks.reshape(looks.shape[0], -1)
    pairs = [float(np.abs(flat[n] - flat[m]).mean()) for n in range(flat.shape[0]) for m in range(n)]
    return _NATS_DB * np.array(pairs, np.float64)
