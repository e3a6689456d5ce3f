"""Makes the sounds in this folder again: `python presets/sounds/make_sounds.py [sound ...]`.

The synthetic ones need numpy and soundfile alone. The recordings come from Debian's package sonic-pi-samples,
the speech from flite; where either is not installed, name the sounds you want. All come out as mono FLAC,
22.05 kHz, 16 bit, peak 0.7.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

RATE_HZ = 22050
FOLDER = Path(__file__).parent
RECORDINGS = Path("/usr/share/sonic-pi/samples")
SPEECH = "Every voice begins as breath. Hold it, and it becomes a place. Let it go, and it becomes a song."

Sound = NDArray[np.float64]


def time_s(length_s: float) -> Sound:
    """Return the times of a sound's samples, in seconds."""
    return np.arange(round(length_s * RATE_HZ)) / RATE_HZ


def pitch_hz(key: float) -> float:
    """Return the frequency of a MIDI key."""
    return 440.0 * 2.0 ** ((key - 69) / 12)


def smooth_noise(generator: np.random.Generator, length_s: float, per_second: float) -> Sound:
    """Return slow random motion in about -1..1 with so many turns a second."""
    knots = generator.uniform(-1, 1, int(length_s * per_second) + 3)
    place = time_s(length_s) * per_second
    part = place % 1
    part = part * part * (3 - 2 * part)
    return knots[place.astype(int)] * (1 - part) + knots[place.astype(int) + 1] * part


def place_at(canvas: Sound, start_s: float, sound: Sound) -> None:
    """Add a sound to a longer one, cut at its end."""
    start = round(start_s * RATE_HZ)
    end = min(start + len(sound), len(canvas))
    canvas[start:end] += sound[: end - start]


def faded(sound: Sound, in_s: float, out_s: float) -> Sound:
    """Return a sound with its ends faded."""
    out = sound.copy()
    rise, fall = round(in_s * RATE_HZ), round(out_s * RATE_HZ)
    out[:rise] *= np.linspace(0, 1, rise) ** 2
    out[len(out) - fall :] *= np.linspace(1, 0, fall) ** 2
    return out


def filtered_noise(generator: np.random.Generator, length_s: float, shape: Callable[[Sound], Sound]) -> Sound:
    """Return noise with a spectrum drawn by a function of frequency in Hz."""
    white = generator.standard_normal(round(length_s * RATE_HZ))
    spectrum = np.fft.rfft(white) * shape(np.fft.rfftfreq(len(white), 1 / RATE_HZ))
    return np.fft.irfft(spectrum, len(white))


def bell_chord() -> Sound:
    """Four church bells of a minor ninth chord, struck one after the other."""
    partials = ((0.5, 0.8, 1.0), (1.0, 1.0, 0.7), (1.19, 0.9, 0.55), (1.5, 0.5, 0.45), (2.0, 0.9, 0.4))
    partials += ((2.52, 0.4, 0.25), (3.01, 0.35, 0.2), (4.17, 0.3, 0.14), (5.43, 0.2, 0.1), (6.8, 0.15, 0.07))
    canvas = np.zeros(round(9.0 * RATE_HZ))
    for start_s, key in ((0.05, 57), (1.3, 64), (2.4, 67), (3.3, 71), (4.6, 60)):
        t = time_s(9.0 - start_s)
        strike = np.zeros_like(t)
        for ratio, level, length in partials:
            beat = 1 + 0.25 * np.sin(2 * np.pi * (0.7 + 0.3 * ratio) * t)
            strike += level * beat * np.exp(-t / (length * 5)) * np.sin(2 * np.pi * pitch_hz(key) * ratio * t)
        place_at(canvas, start_s, strike * np.minimum(t / 0.002, 1))
    return faded(canvas, 0.01, 0.8)


def glass_pad() -> Sound:
    """High partials that swell and beat against each other over a soft chord."""
    generator = np.random.default_rng(11)
    length_s = 8.0
    t = time_s(length_s)
    pad = np.zeros_like(t)
    for key in (50, 57, 62, 66, 69, 73):
        for harmonic, level in ((1, 1.0), (2, 0.5), (3, 0.35), (5, 0.3), (7, 0.22), (9, 0.12)):
            swell = 0.55 + 0.45 * smooth_noise(generator, length_s, 1.5 + 0.4 * harmonic)
            bend = np.cumsum(1 + 0.0012 * smooth_noise(generator, length_s, 3.0)) / RATE_HZ
            phase = 2 * np.pi * (pitch_hz(key) * harmonic * bend + generator.random())
            pad += level * swell**2 * np.sin(phase) * (60 / key)
    return faded(pad, 0.6, 0.8)


def plucked_phrase() -> Sound:
    """A phrase on a synthetic string (Karplus and Strong 1983)."""
    generator = np.random.default_rng(23)
    canvas = np.zeros(round(8.3 * RATE_HZ))
    keys = (45, 52, 57, 60, 64, 67, 64, 60, 43, 50, 55, 59, 62, 67, 71, 74)
    for step, key in enumerate(keys):
        place_at(canvas, 0.05 + 0.5 * step, 0.8 * plucked_string(generator, key, 2.2))
    return faded(canvas, 0.005, 0.6)


def plucked_string(generator: np.random.Generator, key: float, length_s: float) -> Sound:
    """Return one plucked string: a period of noise, averaged with its neighbour at every turn."""
    period = round(RATE_HZ / pitch_hz(key) - 0.5)
    turn = generator.uniform(-1, 1, period)
    turn = 0.5 * (turn + np.roll(turn, period // 5))
    turn -= turn.mean()
    turns = []
    for _ in range(int(length_s * RATE_HZ) // period + 1):
        turns.append(turn)
        turn = 0.9985 * (0.5 * turn + 0.5 * np.roll(turn, 1))
    return faded(np.concatenate(turns), 0.001, 0.3)


VOWELS: Mapping[str, tuple[float, float, float, float]] = {
    "a": (700, 1150, 2600, 3300),
    "e": (420, 1950, 2600, 3400),
    "i": (290, 2250, 2950, 3500),
    "o": (430, 800, 2500, 3300),
    "u": (310, 700, 2350, 3200),
}


def vowel_choir() -> Sound:
    """Six singers of a synthetic choir, slowly turning from vowel to vowel."""
    generator = np.random.default_rng(37)
    length_s = 8.0
    choir = np.zeros(round(length_s * RATE_HZ))
    for key, throat in ((45, 0.94), (52, 0.97), (57, 1.0), (60, 1.04), (64, 1.08), (69, 1.12)):
        for _ in range(2):
            choir += singer(generator, key, throat, length_s)
    return faded(choir, 0.7, 0.9)


def singer(generator: np.random.Generator, key: float, throat: float, length_s: float) -> Sound:
    """Return one voice: harmonics under a moving row of formants, with vibrato, flutter and breath."""
    t = time_s(length_s)
    vibrato = 0.006 * np.sin(2 * np.pi * generator.uniform(4.6, 5.6) * t + generator.uniform(0, 6))
    drift = 0.006 * smooth_noise(generator, length_s, 2.0) + generator.normal(0, 0.002)
    frequency = pitch_hz(key) * (1 + vibrato + drift)
    phase = 2 * np.pi * np.cumsum(frequency) / RATE_HZ
    knots = np.linspace(0, length_s, 7)
    spoken = [VOWELS[name] for name in "aoueiao"]
    shift = generator.normal(0, 0.25)
    formants = [throat * np.interp(t + shift, knots, [vowel[i] for vowel in spoken]) for i in range(4)]
    voice = np.zeros_like(t)
    for harmonic in range(1, int(7500 / pitch_hz(key))):
        here = harmonic * frequency
        envelope = sum(
            level / (1 + ((here - centre) / width) ** 2)
            for centre, width, level in zip(formants, (70, 90, 130, 180), (1.0, 0.6, 0.3, 0.18), strict=True)
        )
        flutter = 1 + 0.25 * smooth_noise(generator, length_s, 9.0)
        voice += envelope * flutter * harmonic**-0.5 * np.sin(harmonic * phase + generator.uniform(0, 6))
    breath = filtered_noise(generator, length_s, lambda hz: 1 / (1 + ((hz - 2800 * throat) / 1500) ** 2))
    return voice + 0.06 * breath * (1 + 0.5 * smooth_noise(generator, length_s, 3.0))


def broken_drums() -> Sound:
    """Two bars of drums that stumble."""
    generator = np.random.default_rng(41)
    canvas = np.zeros(round(6.0 * RATE_HZ))
    for beat in (0, 0.75, 2.5, 3.25, 4, 5.75, 6.25, 6.5, 7.75, 8, 9.25, 10.5, 11):
        place_at(canvas, 0.02 + beat * 0.5, drum_kick())
    for beat in (1, 3, 4.75, 5, 7, 7.33, 9, 9.83, 11, 11.25, 11.5):
        place_at(canvas, 0.02 + beat * 0.5, drum_snare(generator))
    for beat in np.arange(0, 11.8, 0.5) + generator.choice((0, 0, 0.08, -0.06), 24):
        place_at(canvas, 0.1 + beat * 0.5, drum_hat(generator, 0.03 if generator.random() < 0.8 else 0.16))
    return faded(canvas, 0.001, 0.1)


def drum_kick() -> Sound:
    """Return a falling sine with a click."""
    t = time_s(0.35)
    return np.sin(2 * np.pi * (48 * t - 9 * np.exp(-t / 0.03))) * np.exp(-t / 0.11) + 0.4 * np.exp(-t / 0.002)


def drum_snare(generator: np.random.Generator) -> Sound:
    """Return a skin and its wires."""
    t = time_s(0.3)
    wires = filtered_noise(generator, 0.3, lambda hz: hz / (hz + 900))
    skin = np.sin(2 * np.pi * 186 * t) + 0.6 * np.sin(2 * np.pi * 331 * t)
    return 0.45 * wires * np.exp(-t / 0.07) + 0.5 * skin * np.exp(-t / 0.05)


def drum_hat(generator: np.random.Generator, ring_s: float) -> Sound:
    """Return a short burst of high noise."""
    t = time_s(0.35)
    return 0.3 * filtered_noise(generator, 0.35, lambda hz: (hz > 4500) * 1.0) * np.exp(-t / ring_s)


def bowed_low() -> Sound:
    """Two low strings bowed together, now and then pressed harder."""
    generator = np.random.default_rng(53)
    length_s = 7.0
    t = time_s(length_s)
    out = np.zeros_like(t)
    for key, level in ((38, 1.0), (45, 0.8), (50, 0.35)):
        for _ in range(2):
            drift = 1 + 0.003 * smooth_noise(generator, length_s, 2.5) + generator.normal(0, 0.0008)
            phase = 2 * np.pi * np.cumsum(pitch_hz(key) * drift) / RATE_HZ
            press = 0.65 + 0.35 * smooth_noise(generator, length_s, 1.2)
            for harmonic in range(1, int(6000 / pitch_hz(key))):
                flutter = 1 + 0.3 * smooth_noise(generator, length_s, 7.0)
                body = 1.3 / (1 + ((harmonic * pitch_hz(key) - 520) / 400) ** 2) + 0.4
                slope = harmonic ** -(1.5 - 0.5 * press)
                out += level * press * flutter * body * slope * np.sin(harmonic * phase)
    bow = filtered_noise(generator, length_s, lambda hz: 1 / (1 + ((hz - 1800) / 1200) ** 2))
    return faded(out + 0.12 * bow * (1 + 0.6 * smooth_noise(generator, length_s, 4.0)), 0.4, 0.6)


def breath() -> Sound:
    """Whispered vowels and a faint whistle."""
    generator = np.random.default_rng(67)
    canvas = np.zeros(round(6.2 * RATE_HZ))
    for step, name in enumerate("uoaeiaou"):
        vowel = VOWELS[name]

        def shape(hz: Sound, vowel: tuple[float, float, float, float] = vowel) -> Sound:
            return np.sum([1 / (1 + ((hz - centre) / 110) ** 2) for centre in vowel], axis=0) + 0.02

        place_at(canvas, 0.74 * step, faded(filtered_noise(generator, 1.1, shape), 0.45, 0.5))
    t = time_s(6.2)
    bend = 1040 * (1 + 0.05 * smooth_noise(generator, 6.2, 1.0))
    whistle = (
        np.sin(2 * np.pi * np.cumsum(bend) / RATE_HZ) * (0.5 + 0.5 * smooth_noise(generator, 6.2, 1.5)) ** 2
    )
    return faded(canvas + 0.12 * np.std(canvas) * whistle * (t > 0.3), 0.1, 0.4)


def recording(name: str, start_s: float, length_s: float) -> Sound:
    """Return a stretch of a recording from sonic-pi-samples, mixed to mono."""
    samples, rate_hz = soundfile.read(RECORDINGS / f"{name}.flac", always_2d=True)
    mono = soxr.resample(samples.mean(axis=1), rate_hz, RATE_HZ, "VHQ")
    cut = mono[round(start_s * RATE_HZ) : round((start_s + length_s) * RATE_HZ)]
    return faded(cut, 0.002, 0.05)


def speech() -> Sound:
    """Return the sentence of this file spoken by flite's voice slt."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        subprocess.run(["flite", "-voice", "slt", "-t", SPEECH, "-o", str(path)], check=True)
        samples, rate_hz = soundfile.read(path)
    return np.asarray(soxr.resample(samples, rate_hz, RATE_HZ, "VHQ"))


SOUNDS: Mapping[str, Callable[[], Sound]] = {
    "bell-chord": bell_chord,
    "glass-pad": glass_pad,
    "plucked-phrase": plucked_phrase,
    "vowel-choir": vowel_choir,
    "broken-drums": broken_drums,
    "bowed-low": bowed_low,
    "breath": breath,
    "choir": lambda: recording("ambi_choir", 0.0, 1.6),
    "guitar-em9": lambda: recording("guit_em9", 0.0, 5.5),
    "piano": lambda: recording("ambi_piano", 0.0, 2.8),
    "speech": speech,
}


def main() -> None:
    """Write the sounds named on the command line, or all of them."""
    for name in sys.argv[1:] or SOUNDS:
        sound = SOUNDS[name]()
        peak = np.abs(sound).max()
        soundfile.write(FOLDER / f"{name}.flac", 0.7 * sound / peak, RATE_HZ, subtype="PCM_16")


if __name__ == "__main__":
    main()
