"""What tasks of networks that make notes from samples share: where instruments lie, and what is shown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from synthhost.core.arrays import Audio, Features
from synthhost.train.note_sounds import NoteSounds
from synthhost.train.pictures import spectrogram

_NEAR = 0.1  # of a normal distribution's spread


class NoteTask(ABC):
    """Learns a network that plays notes.

    Attributes:
        sounds: What it learns from.
        network: With the instruments' points as its embedding `timbres`.
    """

    sounds: NoteSounds
    network: Any

    @abstractmethod
    def played(self, frames: Features, seed: int) -> Audio:
        """Return what the network makes of frames, `[bands, frames]`, by some chance, `[samples]`."""

    @torch.no_grad()
    def show(self, folder: Path) -> None:
        """Write a few notes of every instrument, a picture of them, and the instruments' points."""
        shown = self.sounds.shown(self.points())
        sound = np.concatenate([self.played(frames, seed) for seed, frames in enumerate(shown)])
        rate, names = self.sounds.input.sample_rate, [one.name for one in self.sounds.material.timbres]
        soundfile.write(folder / "notes.wav", sound, rate, subtype="PCM_16")
        spectrogram(sound, rate, folder / "notes.png", ", ".join(names))
        self.finish(folder)

    def finish(self, folder: Path) -> None:
        """Write where the instruments lie in the timbre space."""
        self.sounds.write_points(self.points(), folder)

    def points(self) -> Features:
        """Return where the instruments lie, `[timbres, dimensions]`."""
        points: Features = self.network.timbres.weight.detach().cpu().numpy().astype(np.float32)
        return points

    @torch.no_grad()
    def _begin_in_the_middle(self) -> None:
        """Bring instruments near the middle of a timbre space that was learned before."""
        self.network.timbres.weight.mul_(_NEAR)
