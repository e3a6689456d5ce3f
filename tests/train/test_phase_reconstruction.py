"""Sound is made of mel frames alone: at their pitch, and of no frames but those that are there in time."""

from __future__ import annotations

import numpy as np

from synthhost.features.mel import mel_spectrogram
from synthhost.train.phase_reconstruction import reconstructed
from synthhost.train.vocoder_task import MEL

SECONDS = np.arange(12_800) / MEL.sample_rate
TONE = (0.3 * np.sin(2.0 * np.pi * 440.0 * SECONDS)).astype(np.float32)
HOP = MEL.hop_samples


def test_a_tone_comes_back_at_its_pitch_and_level() -> None:
    made = reconstructed(mel_spectrogram(TONE, MEL), MEL)
    assert made.shape == TONE.shape
    middle = made[4 * HOP : -4 * HOP]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(middle.size), 1 << 18))
    assert abs(spectrum.argmax() * MEL.sample_rate / (1 << 18) - 440.0) < 3.0
    assert 0.5 < middle.std() / TONE.std() < 1.5


def test_sound_depends_on_two_frames_to_come_and_not_on_a_third() -> None:
    mel = mel_spectrogram(TONE, MEL)
    changed = mel.copy()
    changed[:, 20:] = np.log(1e-5)
    first, second = reconstructed(mel, MEL), reconstructed(changed, MEL)
    assert np.array_equal(first[: 18 * HOP], second[: 18 * HOP])
    assert not np.array_equal(first[18 * HOP : 19 * HOP], second[18 * HOP : 19 * HOP])


def test_frames_of_silence_are_silent() -> None:
    mel = np.full((MEL.bands, 12), np.log(1e-5), np.float32)
    assert np.abs(reconstructed(mel, MEL)).max() < 1e-3
