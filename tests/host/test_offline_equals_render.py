"""Rendering a set without a clock: the dry stem of a track is the model's own sound, to rounding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from synthhost.core.arrays import Audio
from synthhost.core.errors import RecordingError
from synthhost.core.messages import StartRecording
from synthhost.host.offline import OfflineEngine, OfflineResult
from synthhost.host.places import Places
from synthhost.host.planning import offline_plan
from synthhost.host.score import ScorePlayer, read_score
from synthhost.library.shelves import load_model
from synthhost.schema.preset_library import PresetLibrary
from synthhost.sources.tape import load_tape

RATE, HOP = 22050, 256
FRAMES = 60


def rendered(studio: Path, out: Path, set_name: str, score: str, samples: int) -> OfflineResult:
    """Render a score as the command line does."""
    (out.parent / "piece.txt").write_text(score)
    plan = offline_plan(str(studio / "presets" / f"{set_name}-set.yaml"), 1)
    engine = OfflineEngine(plan, out, self_activating=True)
    engine.record_all()
    lines = read_score(out.parent / "piece.txt")
    places = Places(PresetLibrary.of_this_machine(), out)
    return ScorePlayer(engine, lines, places, "piece.txt").play(samples, lambda _done, _all: None)


def stem(folder: Path, name: str) -> Audio:
    """Return a stem, `[channels, samples]`."""
    sound, _ = soundfile.read(folder / f"{name}.wav", dtype="float32", always_2d=True)
    return sound.T


@pytest.mark.parametrize("set_name", ["same", "small"])
def test_the_dry_stem_is_the_models_own_sound_from_the_first_sample_on(
    studio: Path, tmp_path: Path, set_name: str
) -> None:
    samples = FRAMES * HOP + 777
    result = rendered(studio, tmp_path / "out", set_name, "", samples)
    model = load_model("tiny")
    mel = load_tape(studio / "presets" / "tone.wav", model.spec.mel).rows.T
    whole = model.render(mel)
    decided = whole.shape[0] - model.spec.look_ahead_samples  # behind that the tape goes on
    dry = stem(tmp_path / "out", "voice-dry")[0]
    peak = float(np.abs(whole).max())
    assert peak > 0.01
    assert np.abs(dry[:decided] - whole[:decided]).max() <= 1e-5 * peak
    assert dry.shape[0] == result.samples == samples
    assert result.failures == []


def test_a_messages_time_is_its_sample(studio: Path, tmp_path: Path) -> None:
    at_s, samples = 0.1, 8000
    score = f"0 /track/voice/gain -6\n{at_s} /track/voice/mute 1\n"
    rendered(studio, tmp_path / "out", "same", score, samples)
    wet, dry = stem(tmp_path / "out", "voice-wet"), stem(tmp_path / "out", "voice-dry")[0]
    at_sample, ramp_samples = round(at_s * RATE), round(0.01 * RATE)
    level = np.float32(10 ** (-6 / 20))
    np.testing.assert_allclose(wet[0, ramp_samples:at_sample], level * dry[ramp_samples:at_sample], rtol=1e-6)
    assert not wet[:, at_sample + ramp_samples :].any()
    assert wet[0, at_sample + ramp_samples - 2] != 0.0
    assert np.abs(dry[at_sample + ramp_samples :]).max() > 0.0


def test_the_same_score_gives_the_same_bits(studio: Path, tmp_path: Path) -> None:
    score = """
    0.00 /track/voice/param/pitch 3
    0.05 /track/voice/preset slow 20
    0.10 /track/voice/cue plain
    0.12 /record/start take
    0.15 /track/voice/cue/commit 30
    0.18 /record/stop
    """
    heard = []
    for name in ("one", "two"):
        result = rendered(studio, tmp_path / name, "usual", score, 12_000)
        assert result.failures == []
        assert result.folders == [str(tmp_path / name), str(tmp_path / name / "take")]
        folders = [tmp_path / name, tmp_path / name / "take"]
        heard.append(
            [stem(folder, part) for folder in folders for part in ("master", "cue", "voice-dry", "voice-wet")]
        )
    for first, second in zip(*heard, strict=True):
        np.testing.assert_array_equal(first, second)
        assert first.any()
    assert heard[0][0].shape[1] + heard[0][4].shape[1] < 12_000  # the take came in place of the whole


def test_a_line_that_cannot_be_carried_out_is_named(studio: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"piece\.txt:2: /track/vioce/gain: .*voice"):
        rendered(studio, tmp_path / "out", "same", "0 /track/voice/gain 0\n0 /track/vioce/gain 0\n", 1000)


def with_takes(studio: Path, out: Path, folders: list[str]) -> OfflineResult:
    """Render a little with takes begun one after the other, as a journal may ask for them."""
    plan = offline_plan(str(studio / "presets" / "same-set.yaml"), 1)
    engine = OfflineEngine(plan, out, self_activating=True)
    for folder in folders:
        engine.renderer.receive([StartRecording(folder, "wav24")])
        for _ in range(3):
            engine.advance(100_000)
    return engine.finish()


def test_takes_stay_below_the_output_folder_under_names_of_their_own(studio: Path, tmp_path: Path) -> None:
    result = with_takes(studio, tmp_path / "out", ["/a/take", "/b/take", "/a/.."])
    assert result.folders == [str(tmp_path / "out" / name) for name in ("take", "take-2", "take-3")]
    assert result.failures == []
    assert all(stem(Path(folder), "master").shape[1] > 0 for folder in result.folders)


def test_a_take_that_cannot_be_opened_is_among_the_failures(studio: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "take").mkdir(parents=True)
    (tmp_path / "out" / "take" / "master.wav").write_text("somebody's")
    result = with_takes(studio, tmp_path / "out", ["/a/take"])
    assert result.folders == []
    (failure,) = result.failures
    assert failure.startswith("/record/start")
    assert (tmp_path / "out" / "take" / "master.wav").read_text() == "somebody's"
