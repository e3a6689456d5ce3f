"""A frozen tape through the pretrained universal vocoder: no buzz at the frame rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synthhost.core.errors import ModelNotFoundError
from synthhost.library.model import Model
from synthhost.library.shelves import load_model
from synthhost.sources.tape import load_tape
from synthhost.sources.tape_source import TapeSource

SOUNDS = Path(__file__).resolve().parents[2] / "presets" / "sounds"
FRAMES = 180

pytestmark = pytest.mark.universal


@pytest.fixture(scope="module")
def model() -> Model:
    try:
        return load_model("hifigan-universal")
    except ModelNotFoundError:
        pytest.skip("hifigan-universal is not here: synthhost models pull hifigan-universal")


def comb_share_db(model: Model, frames: np.ndarray) -> float:
    """Return the share of the energy, 60 to 8000 Hz, within 2.5 Hz of multiples of the frame rate."""
    audio = model.render(frames)[4096:-4096]
    frame_rate_hz = model.spec.sample_rate / model.spec.hop_samples
    energy = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
    hz = np.fft.rfftfreq(len(audio), 1 / model.spec.sample_rate)
    energy[(hz < 60) | (hz > 8000)] = 0
    off_hz = np.abs((hz / frame_rate_hz + 0.5) % 1 - 0.5) * frame_rate_hz
    return float(10 * np.log10(energy[off_hz < 2.5].sum() / energy.sum()))


@pytest.mark.parametrize(("sound", "place"), [("choir", 0.5), ("speech", 0.13), ("guitar-em9", 0.25)])
def test_a_freeze_buzzes_no_more_than_the_moving_recording(model: Model, sound: str, place: float) -> None:
    tape = load_tape(SOUNDS / f"{sound}.flac", model.spec.mel)
    source = TapeSource(model.spec.mel, tape, seed=1)
    source.jump_param("position", place)
    source.jump_param("speed", 0.0)
    frozen = np.empty((model.spec.bands, FRAMES), np.float32)
    source.next_frames(frozen)
    first = max(0, min(int(place * tape.frames) - FRAMES // 2, tape.frames - FRAMES))
    moving = tape.rows[first : first + FRAMES].T
    assert comb_share_db(model, frozen) < comb_share_db(model, moving) + 3.0


def test_a_frame_truly_held_still_is_nothing_but_buzz(model: Model) -> None:
    tape = load_tape(SOUNDS / "choir.flac", model.spec.mel)
    held = np.repeat(tape.rows[60:61].T, 120, axis=1)
    assert comb_share_db(model, held) > -0.1
