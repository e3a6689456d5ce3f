"""A replay is what was heard, or it ends with a sentence: nothing that differs looks like success."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml

from synthhost.checkpoints.package import read_manifest
from synthhost.core.errors import RecordingError
from synthhost.core.messages import (
    Command,
    Event,
    Failed,
    LoadPreset,
    LoadTape,
    SetParam,
    StartRecording,
    StopRecording,
)
from synthhost.host.arithmetic import flushes_denormal
from synthhost.host.journal import JOURNAL_NAME, Journal, JournalWriter, header_of, made_with
from synthhost.host.offline import OfflineEngine, OfflineResult
from synthhost.host.plan import Plan
from synthhost.host.planning import offline_plan
from synthhost.host.replay import remarks, replay

SAMPLES = 6000


class Session(OfflineEngine):
    """A performance that writes its journal, as the control process does."""

    def __init__(self, plan: Plan, out: Path) -> None:
        self.journal = JournalWriter(header_of(plan, {}, {}), out / JOURNAL_NAME)
        super().__init__(plan, out, self_activating=True)

    def _note(self, event: Event) -> None:
        super()._note(event)
        if isinstance(event, Failed):
            self.journal.fail(event, self.renderer.sample)
        else:
            self.journal.write(event)

    def play(self, *script: tuple[int, Command]) -> OfflineResult:
        """Give each command before the block that holds its sample; return what it came to."""
        waiting = list(script)
        while self.renderer.sample < SAMPLES:
            while waiting and waiting[0][0] < self.renderer.sample + self.plan.block_samples:
                self.renderer.receive([waiting.pop(0)[1]])
            self.advance(SAMPLES)
        self.journal.close(SAMPLES)
        return self.finish()


@pytest.fixture
def tone(studio: Path, tmp_path: Path) -> Path:
    """Give a sound of its own, which may be changed."""
    path = tmp_path / "own.wav"
    sound, rate = soundfile.read(studio / "presets" / "tone.wav", dtype="float32")
    soundfile.write(path, sound[::-1] * 0.5, rate, subtype="FLOAT")
    return path


@pytest.fixture
def session(studio: Path, tmp_path: Path) -> Session:
    """Give a session about to begin, that records itself whole."""
    session = Session(plan_of(studio), tmp_path / "live")
    session.record_all()
    return session


def plan_of(studio: Path) -> Plan:
    return offline_plan(str(studio / "presets" / "same-set.yaml"), 1)


def again(tmp_path: Path) -> OfflineResult:
    return replay(Journal(tmp_path / "live"), tmp_path / "again", lambda _done, _all: None)


def master(folder: Path) -> Any:
    return soundfile.read(folder / "master.wav", dtype="float32", always_2d=True)[0]


def load(path: Path, at: int = 300) -> tuple[int, Command]:
    return at, LoadTape("voice", "a", str(path), at)


def test_a_tape_loaded_during_the_session_is_played_again_to_the_bit(
    session: Session, tone: Path, tmp_path: Path
) -> None:
    session.play(load(tone))
    result = again(tmp_path)
    assert (result.folders, result.samples, result.failures) == ([str(tmp_path / "again")], SAMPLES, [])
    np.testing.assert_array_equal(master(tmp_path / "again"), master(tmp_path / "live"))


def test_a_tape_that_changed_since_ends_the_replay_with_its_name(
    session: Session, tone: Path, tmp_path: Path
) -> None:
    session.play(load(tone))
    with tone.open("ab") as file:
        file.write(b"\0" * 4)
    with pytest.raises(RecordingError, match=r"/track/voice/tape/load: .*differs.*own\.wav.*Put the file"):
        again(tmp_path)


def test_a_tape_that_is_gone_ends_the_replay_with_its_name(
    session: Session, tone: Path, tmp_path: Path
) -> None:
    session.play(load(tone))
    tone.unlink()
    with pytest.raises(RecordingError, match=r"own\.wav: it played in the session and cannot be loaded now"):
        again(tmp_path)


def test_an_error_leaves_the_stems_whole_up_to_it(session: Session, tone: Path, tmp_path: Path) -> None:
    session.play(load(tone, at=3000))
    tone.unlink()
    with pytest.raises(RecordingError):
        again(tmp_path)
    kept = master(tmp_path / "again")
    assert 2000 < len(kept) <= 3000
    np.testing.assert_array_equal(kept, master(tmp_path / "live")[: len(kept)])


def test_an_error_can_take_back_the_stems_instead(session: Session, tone: Path, tmp_path: Path) -> None:
    session.play(
        (300, StartRecording("/takes/one", "wav32f", 300)), (900, StopRecording(900)), load(tone, at=3000)
    )
    tone.unlink()
    out = tmp_path / "again"
    out.mkdir()
    (out / "mine.wav").write_text("put there meanwhile")
    with pytest.raises(RecordingError):
        replay(Journal(tmp_path / "live"), out, lambda _done, _all: None, keep_unfinished=False)
    assert list(out.iterdir()) == [out / "mine.wav"]


def test_what_failed_in_the_session_fails_again_and_is_told_as_its_own(
    session: Session, tone: Path, tmp_path: Path
) -> None:
    kept = tone.rename(tone.with_name("later.wav"))
    session.play(
        load(tone, 300),
        (900, SetParam("voice", "wobble", 1.0, 900)),
        (1200, LoadPreset("voice", "x", {"name": "x", "model": "none"}, 0.0, 1200)),
        load(kept, 2000),
    )
    shutil.copy(kept, tone)  # it would load now, and must not
    result = again(tmp_path)
    assert [failure.split()[0] for failure in result.failures] == [
        "/track/voice/tape/load",
        "/track/voice/param/wobble",
        "/track/voice/preset",
    ]
    np.testing.assert_array_equal(master(tmp_path / "again"), master(tmp_path / "live"))


def test_a_failure_that_the_session_did_not_have_ends_the_replay(session: Session, tmp_path: Path) -> None:
    session.play((900, SetParam("voice", "wobble", 1.0, 900)))
    edit(tmp_path, lambda lines: [line for line in lines if "failed" not in line])
    with pytest.raises(RecordingError, match=r"param/wobble: .*did not fail in the session"):
        again(tmp_path)


def test_commands_missing_from_a_journal_end_the_replay(session: Session, tone: Path, tmp_path: Path) -> None:
    session.play(load(tone))
    edit(tmp_path, lambda lines: [line for line in lines if line.get("do") != "LoadTape"])
    with pytest.raises(RecordingError, match=r"under ticket 1.*missing from the journal"):
        again(tmp_path)


def test_a_recording_that_could_not_begin_does_not_silence_the_replay(studio: Path, tmp_path: Path) -> None:
    session = Session(plan_of(studio), tmp_path / "live")
    (tmp_path / "live" / "taken").mkdir()
    (tmp_path / "live" / "taken" / "master.wav").write_text("somebody's")
    live = session.play((300, StartRecording("/takes/taken", "wav32f", 300)))
    assert live.folders == []
    assert Journal(tmp_path / "live").takes == 0
    result = again(tmp_path)
    assert result.folders == [str(tmp_path / "again")]
    assert len(master(tmp_path / "again")) == SAMPLES
    assert sorted(path.name for path in (tmp_path / "again").iterdir() if path.is_dir()) == []
    assert "/record/start" in result.failures[0]


def test_takes_that_began_are_written_again_alone(studio: Path, tmp_path: Path) -> None:
    session = Session(plan_of(studio), tmp_path / "live")
    session.play((300, StartRecording("/takes/one", "wav32f", 300)), (3000, StopRecording(3000)))
    assert Journal(tmp_path / "live").takes == 1
    result = again(tmp_path)
    assert result.folders == [str(tmp_path / "again" / "one")]
    assert result.take_samples == [len(master(tmp_path / "again" / "one"))] != [result.samples]
    np.testing.assert_array_equal(master(tmp_path / "again" / "one"), master(tmp_path / "live" / "one"))


def test_a_take_opened_too_late_to_begin_leaves_nothing_behind(session: Session, tmp_path: Path) -> None:
    result = session.play((SAMPLES - 1, StartRecording("/takes/late", "wav24", SAMPLES - 1)))
    assert result.folders == [str(tmp_path / "live")]
    assert not (tmp_path / "live" / "late").exists()


def edit(tmp_path: Path, change: Any) -> None:
    """Rewrite the lines of a session's journal."""
    path = tmp_path / "live" / JOURNAL_NAME
    lines = change([json.loads(line) for line in path.read_text().splitlines()])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_journal_of_before_names_models_by_their_weights_and_is_played_again(
    session: Session, studio: Path, tmp_path: Path
) -> None:
    preset = yaml.safe_load((studio / "presets" / "slow.yaml").read_text())
    preset["source"]["tape"] = str(studio / "presets" / "tone.wav")
    session.play((900, LoadPreset("voice", "slow", preset, 5.0, 900)))
    weights = read_manifest(studio / "home" / "models" / "tiny").sha256

    def of_before(lines: list[Any], name: str) -> list[Any]:
        lines[0] |= {"synthhost": name, "models": {"tiny": weights}}
        joined = [line["details"] for line in lines if "model_sha256" in line.get("details", {})]
        assert len(joined) == 1
        joined[0]["model_sha256"] = weights
        return lines

    edit(tmp_path, lambda lines: of_before(lines, "journal/1"))
    again(tmp_path)
    np.testing.assert_array_equal(master(tmp_path / "again"), master(tmp_path / "live"))
    assert "by their weights alone" in remarks(Journal(tmp_path / "live"))[0]
    edit(tmp_path, lambda lines: of_before(lines, "journal/2"))
    with pytest.raises(RecordingError, match="weights, or numbers in its manifest, have changed"):
        replay(Journal(tmp_path / "live"), tmp_path / "third", lambda _done, _all: None)


def test_a_journal_of_more_than_a_day_is_refused_with_its_length(session: Session, tmp_path: Path) -> None:
    session.play()
    edit(tmp_path, lambda lines: [*lines[:-1], {"end": 90_000 * 22050}])
    with pytest.raises(RecordingError, match=r"would render 25\.0 hours; at most 24 hours"):
        again(tmp_path)
    assert not (tmp_path / "again").exists()


def test_a_whole_journal_of_this_machine_needs_no_remark(session: Session, tmp_path: Path) -> None:
    session.play()
    assert remarks(Journal(tmp_path / "live")) == []


def test_a_journal_that_was_cut_says_how_far_it_is_rendered(session: Session, tmp_path: Path) -> None:
    session.play((2000, SetParam("voice", "gain_db", -3.0, 2000)))
    edit(tmp_path, lambda lines: lines[:-1])
    (said,) = remarks(Journal(tmp_path / "live"))
    assert "no end" in said
    assert "up to sample 2000 (0.1 s)" in said
    assert again(tmp_path).samples == 2000


def test_lost_events_are_told_with_their_number(session: Session, tmp_path: Path) -> None:
    session.journal.lose(3, 100)
    session.journal.lose(7, 200)
    session.play()
    (said,) = remarks(Journal(tmp_path / "live"))
    assert "misses 7 events" in said


@pytest.mark.parametrize("made", [{**made_with(), "torch": "0.1"}, {}, None, 3])
def test_other_versions_are_told(session: Session, tmp_path: Path, made: Any) -> None:
    session.play()
    edit(tmp_path, lambda lines: [{**lines[0], "made_with": made}, *lines[1:]])
    (said,) = remarks(Journal(tmp_path / "live"))
    assert "torch 0.1" in said if isinstance(made, dict) and made else "versions unknown" in said
    assert f"torch {made_with()['torch']}" in said


def test_an_event_line_is_no_command(tmp_path: Path, session: Session) -> None:
    session.play((900, SetParam("voice", "wobble", 1.0, 900)))
    journal = Journal(tmp_path / "live")
    assert [type(command) for command in journal.commands()] == [SetParam]
    assert journal.failures == [
        ("/track/voice/param/wobble", "the track's present preset has no such parameter")
    ]


@pytest.mark.parametrize("line", [{"lost": "many", "at": 1}, {"lost": None, "at": 1}])
def test_a_count_that_is_none_is_named_by_its_line(session: Session, tmp_path: Path, line: Any) -> None:
    session.play()
    edit(tmp_path, lambda lines: [lines[0], line, *lines[1:]])
    with pytest.raises(RecordingError, match=r"journal\.jsonl:2: .*lost events"):
        Journal(tmp_path / "live")


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Let torch compute on two threads, and put its settings back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
    torch.set_flush_denormal(False)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("flushed", [False, True])
def test_torch_computes_as_before_after_a_rendering(studio: Path, tmp_path: Path, flushed: bool) -> None:
    torch.set_flush_denormal(flushed)
    engine = OfflineEngine(plan_of(studio), tmp_path / "out", self_activating=True)
    assert (torch.get_num_threads(), flushes_denormal()) == (1, True)
    engine.advance(100)
    engine.finish()
    assert (torch.get_num_threads(), flushes_denormal()) == (2, flushed)


@pytest.mark.usefixtures("two_threads")
def test_torch_computes_as_before_after_an_error(
    session: Session, studio: Path, tone: Path, tmp_path: Path
) -> None:
    session.play(load(tone))
    tone.unlink()
    with pytest.raises(RecordingError):
        again(tmp_path)
    assert (torch.get_num_threads(), flushes_denormal()) == (2, False)
    plan = plan_of(studio)
    plan.set["tracks"][0]["preset"]["model"] = "nowhere"
    with pytest.raises(Exception, match="nowhere"):
        OfflineEngine(plan, tmp_path / "out", self_activating=True)
    assert (torch.get_num_threads(), flushes_denormal()) == (2, False)
