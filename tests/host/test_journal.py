"""The journal: every bit comes back, damage is named by its line, a full disk loses nothing."""

from __future__ import annotations

import json
import math
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from synthhost.core.errors import RecordingError
from synthhost.core.messages import (
    Accepted,
    Activate,
    Command,
    CommitCue,
    CuePreset,
    DropCue,
    Failed,
    LoadPreset,
    LoadTape,
    Notice,
    Panic,
    PushMel,
    SetParam,
    StartRecording,
    StopRecording,
    Sync,
    as_plain,
)
from synthhost.host import line_file, ordinary_files
from synthhost.host.journal import JOURNAL_NAME, Journal, JournalWriter, header_of
from synthhost.host.plan import Plan, SinkPlan

PLAN = Plan(
    {"name": "x", "tracks": []}, 48000, 256, 7, SinkPlan("file", out="x.wav"), record_folder="/takes/1"
)
HEADER = header_of(PLAN, {"voc": 4}, {"voc": "0" * 64})
BODY = {"name": "ü", "deep": [1, 2.5, None, {"a": True}]}

text = st.text(max_size=12)
sample = st.integers(0, 2**60)
number = st.floats(allow_nan=False, allow_infinity=False)
values = st.floats(width=32, allow_nan=False, allow_infinity=False)
frames = st.tuples(st.integers(1, 4), st.integers(0, 5)).flatmap(
    lambda shape: st.lists(values, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]).map(
        lambda flat: np.float32(flat).reshape(shape)
    )
)
messages = st.one_of(
    st.builds(SetParam, text, text, number, sample, sample),
    st.builds(PushMel, text, st.none() | st.integers(0, 9), frames, sample),
    st.builds(LoadTape, text, st.sampled_from("ab"), text, sample),
    st.builds(LoadPreset, text, text, st.just(BODY), number, sample),
    st.builds(CuePreset, text, text, st.just(BODY), sample),
    st.builds(CommitCue, text, number, sample),
    st.builds(DropCue, text, sample),
    st.builds(Activate, st.integers(1, 99), st.just({"sounds": {"a": "b"}}), sample),
    st.builds(Panic, sample),
    st.builds(StartRecording, text, text, sample),
    st.builds(StopRecording, sample),
    st.builds(Sync, st.integers(0, 99), sample),
)


def written(path: Path, commands: list[Command], end_sample: int | None = 4800) -> Path:
    writer = JournalWriter(HEADER, path)
    for command in commands:
        writer.write(Accepted(command))
    writer.flush()
    if end_sample is not None:
        writer.close(end_sample)
    assert writer.error is None
    return path


def lines_of(path: Path, *lines: Any) -> Path:
    rows = [HEADER, *lines]
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


@settings(max_examples=60, deadline=None)
@given(commands=st.lists(messages, max_size=12))
def test_every_command_comes_back_to_the_bit(tmp_path_factory: Any, commands: list[Command]) -> None:
    path = written(tmp_path_factory.mktemp("session") / "deep" / JOURNAL_NAME, commands)
    journal = Journal(path)
    assert [as_plain(one) for one in journal.commands()] == [as_plain(one) for one in commands]
    for read, command in zip(journal.commands(), commands, strict=True):
        if isinstance(command, PushMel):
            assert read.frames.tobytes() == command.frames.tobytes()  # type: ignore[union-attr]
            assert read.frames.shape == command.frames.shape  # type: ignore[union-attr]
    assert journal.complete
    assert journal.end_sample == max([4800, *(one.at_sample for one in commands)])


def test_the_header_holds_the_plan_and_the_chunks_that_were_used(tmp_path: Path) -> None:
    journal = Journal(written(tmp_path / JOURNAL_NAME, []).parent)  # the folder will do
    assert (journal.plan.set, journal.plan.sink, journal.plan.seed) == (PLAN.set, PLAN.sink, 7)
    assert journal.plan.chunk_frames == {"voc": 4}
    assert journal.header["models"] == {"voc": "0" * 64}


def test_chunks_of_models_that_joined_later_are_known(tmp_path: Path) -> None:
    joined = Activate(1, {"model": "late", "chunk_frames": 8}, 480)
    assert Journal(written(tmp_path / "j", [joined])).plan.chunk_frames == {"voc": 4, "late": 8}
    with pytest.raises(RecordingError, match="chunk_frames"):
        Journal(written(tmp_path / "k", [Activate(1, {"model": "late", "chunk_frames": "x"}, 480)]))


def test_only_what_took_effect_is_a_command_and_the_rest_stands_beside(tmp_path: Path) -> None:
    writer = JournalWriter(HEADER, tmp_path / JOURNAL_NAME)
    writer.write(Failed(0, "/a", "no"))
    writer.write(Notice("late", "a block", 5))
    writer.write(Accepted(Panic(9), late_samples=4))
    writer.pulse(960)
    writer.fail(Failed(3, "/b", "never"), 961)
    writer.lose(2, 962)
    writer.flush()
    assert (tmp_path / JOURNAL_NAME).read_text().splitlines()[1:] == [
        '{"do":"Panic","at_sample":9,"origin":0,"late":4}',
        '{"at":960}',
        '{"failed":"/b","reason":"never","at":961}',
        '{"lost":2,"at":962}',
    ]
    journal = Journal(tmp_path)
    assert (journal.end_sample, journal.complete) == (962, False)
    assert (journal.failures, journal.lost_events) == ([("/b", "never")], 2)
    assert list(journal.commands()) == [Panic(9)]
    writer.close(1000)


@pytest.mark.parametrize("cut_bytes", range(1, 40, 6))
def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path, cut_bytes: int) -> None:
    path = written(tmp_path / JOURNAL_NAME, [Panic(9), SetParam("voice", "level", 0.5, 10)], None)
    path.write_bytes(path.read_bytes()[:-cut_bytes])
    assert list(Journal(path).commands()) == [Panic(9)]


def test_only_what_was_activated_counts_as_a_take(tmp_path: Path) -> None:
    asked = [StartRecording("/1", "wav24", 1), LoadTape("v", "a", "/t", 2), StartRecording("/2", "wav24", 3)]
    journal = Journal(written(tmp_path / "j", [*asked, Activate(2, {}, 4), Activate(3, {}, 5)]))
    assert (journal.activated, journal.takes) == ({2, 3}, 1)


def test_a_restarted_writer_goes_on_after_the_last_whole_line(tmp_path: Path) -> None:
    path = written(tmp_path / JOURNAL_NAME, [Panic(9), Panic(10)], None)
    path.write_bytes(path.read_bytes()[:-5])
    again = JournalWriter({"another": "header"}, path)
    again.write(Accepted(Panic(11)))
    again.close(20)
    assert list(Journal(path).commands()) == [Panic(9), Panic(11)]
    assert Journal(path).header == HEADER


def test_a_writer_that_died_in_the_header_begins_anew(tmp_path: Path) -> None:
    (tmp_path / JOURNAL_NAME).write_text('{"synthhost": "jour')
    assert list(Journal(written(tmp_path / JOURNAL_NAME, [Panic(1)])).commands()) == [Panic(1)]


def test_copies_are_whole_and_go_on_after_a_restart(tmp_path: Path) -> None:
    path, takes = tmp_path / JOURNAL_NAME, [tmp_path / "one", tmp_path / "two"]
    first = JournalWriter(HEADER, path)
    for place, take in enumerate(takes):
        take.mkdir()
        first.write(Accepted(StartRecording(str(take), "wav24", place)))
        first.copy_to(take)
    first.write(Accepted(Panic(5)))
    first.flush()
    (takes[0] / JOURNAL_NAME).write_bytes((takes[0] / JOURNAL_NAME).read_bytes()[:-3])
    again = JournalWriter(HEADER, path)
    again.write(Accepted(Panic(6)))
    again.close(7)
    assert again.error is None
    for take in takes:
        assert (take / JOURNAL_NAME).read_bytes() == path.read_bytes()
    assert list(Journal(takes[0]).commands())[-2:] == [Panic(5), Panic(6)]


def test_a_copy_that_cannot_be_made_is_told_and_the_journal_goes_on(tmp_path: Path) -> None:
    writer = JournalWriter(HEADER, tmp_path / JOURNAL_NAME)
    writer.copy_to(tmp_path / "nowhere")
    assert writer.error is not None
    assert "nowhere" in writer.error
    writer.close(5)
    assert Journal(tmp_path).complete


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot be written"):
        JournalWriter(HEADER, tmp_path / "file" / JOURNAL_NAME)


def pushed(frames_json: str) -> str:
    return f'{{"do": "PushMel", "track": "v", "index": null, "frames": {frames_json}, "at_sample": 4}}'


@contextmanager
def full_disk(largest_bytes: int) -> Iterator[None]:
    """Refuse this process every write beyond a file size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_and_nothing_is_missing_once_there_is_room(tmp_path: Path) -> None:
    writer = JournalWriter(HEADER, tmp_path / JOURNAL_NAME)
    writer.flush()
    with full_disk((tmp_path / JOURNAL_NAME).stat().st_size + 100):
        for at in range(3000):
            writer.write(Accepted(Panic(at)))
        writer.pulse(3000)
    assert writer.error is not None
    assert "cannot be written" in writer.error
    partly = list(Journal(tmp_path).commands())
    assert partly == [Panic(at) for at in range(len(partly))]
    assert len(partly) < 10
    writer.close(4000)
    assert list(Journal(tmp_path).commands()) == [Panic(at) for at in range(3000)]
    assert Journal(tmp_path).complete


def test_a_journal_on_a_disk_that_stays_full_ends_and_can_still_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_file, "_PATIENT_BYTES", 2000)
    writer = JournalWriter(HEADER, tmp_path / JOURNAL_NAME)
    writer.flush()
    with full_disk((tmp_path / JOURNAL_NAME).stat().st_size + 100):
        for at in range(300):
            writer.write(Accepted(Panic(at)))
            writer.flush()
    writer.close(4000)
    read = list(Journal(tmp_path).commands())
    assert read == [Panic(at) for at in range(len(read))]
    assert 10 < len(read) < 100
    assert not Journal(tmp_path).complete


@pytest.mark.parametrize(
    "line",
    [
        "{broken",
        "[1, 2]",
        "7",
        '{"do": "SetParam"}',
        '{"do": "Juggle", "at_sample": 4}',
        '{"do": ["Panic"], "at_sample": 4}',
        '{"do": "Notice", "kind": "a", "text": "b", "at_sample": 4}',
        '{"do": "Accepted", "command": {"do": "Panic", "at_sample": 4}, "at_sample": 4}',
        '{"do": "Panic"}',
        '{"do": "Panic", "at_sample": -1}',
        '{"do": "Panic", "at_sample": 2.5}',
        '{"do": "Panic", "at_sample": "4"}',
        '{"do": "Panic", "at_sample": 1e999}',
        '{"do": "SetParam", "track": "v", "param": "p", "value": NaN, "at_sample": 4}',
        '{"do": "SetParam", "track": "v", "param": "p", "value": -Infinity, "at_sample": 4}',
        '{"do": "SetParam", "track": "v", "param": "p", "value": true, "at_sample": 4}',
        '{"do": "SetParam", "track": "v", "param": "p", "value": "1", "at_sample": 4}',
        '{"do": "SetParam", "track": ["v"], "param": "p", "value": 1, "at_sample": 4}',
        '{"do": "LoadPreset", "track": "v", "name": "n", "body": 3, "crossfade_ms": 3, "at_sample": 4}',
        '{"do": "CommitCue", "track": "v", "crossfade_ms": NaN, "at_sample": 4}',
        pushed('{"bands": 1, "f32": "AADAfw=="}'),
        pushed('{"bands": 2, "f32": "AADAfw=="}'),
        pushed('{"bands": 1e30, "f32": "AAAA"}'),
        pushed('{"bands": 1, "f32": "%"}'),
        '{"at": "now"}',
        '{"end": null}',
        "[" * 100_000,
        "9" * 5000,
    ],
)
def test_a_line_that_cannot_be_played_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    path = lines_of(tmp_path / JOURNAL_NAME, {"at": 1}, line, {"end": 9})
    with pytest.raises(RecordingError, match=r"journal\.jsonl:3: "):
        list(Journal(path).commands())


@pytest.mark.parametrize(
    "header",
    [
        "",
        "{}",
        '{"synthhost": "journal/9"}',
        '{"synthhost": "journal/2"}',
        '{"synthhost": "journal/1", "plan": 3}',
        json.dumps({**HEADER, "plan": {**HEADER["plan"], "block_samples": 0}}),
        json.dumps({**HEADER, "plan": {**HEADER["plan"], "sample_rate": "48000"}}),
        json.dumps({**HEADER, "plan": {**HEADER["plan"], "threads": 10**6}}),
        json.dumps({**HEADER, "plan": {**HEADER["plan"], "arrival_delay_ms": math.nan}}),
        json.dumps({**HEADER, "plan": {**HEADER["plan"], "chunk_frames": {"voc": 0}}}),
        json.dumps({**HEADER, "plan": {**HEADER["plan"], "fixed_chunk": 1025}}),
        json.dumps({**HEADER, "plan": {**HEADER["plan"], "sink": {"kind": 3}}}),
        json.dumps({**HEADER, "plan": {**HEADER["plan"], "surprise": 3}}),
    ],
)
def test_a_header_that_cannot_be_played_is_refused(tmp_path: Path, header: str) -> None:
    (tmp_path / JOURNAL_NAME).write_text(header + "\n")
    with pytest.raises(RecordingError, match=r"journal\.jsonl"):
        Journal(tmp_path)


def test_a_journal_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read"):
        Journal(tmp_path)


def test_a_pipe_or_device_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / JOURNAL_NAME)
    for path in (tmp_path, tmp_path / JOURNAL_NAME, Path("/dev/zero")):
        with pytest.raises(RecordingError, match="is no ordinary file"):
            Journal(path)


def test_a_line_without_end_is_refused_with_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordinary_files, "LONGEST_LINE_BYTES", 4000)
    path = lines_of(tmp_path / JOURNAL_NAME, {"at": 1}, " " * 4001, {"end": 9})
    with pytest.raises(RecordingError, match=r"journal\.jsonl:3: a line has at most 4000 bytes"):
        Journal(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text | st.sampled_from(["AAAA", "Panic"]),
    lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(st.sampled_from(["bands", "f32"]), deeper),
    max_leaves=6,
)
fields = st.sampled_from(
    [
        *[
            "do",
            "at",
            "end",
            "at_sample",
            "track",
            "param",
            "value",
            "index",
            "frames",
            "slot",
            "path",
            "name",
            "body",
        ]
    ]
)
kinds = st.sampled_from(
    [*["SetParam", "PushMel", "LoadTape", "LoadPreset", "CommitCue", "Activate", "Panic", "Notice"]]
)
near_lines = st.builds(
    lambda held, kind: json.dumps({**held, "do": kind}).encode(), st.dictionaries(fields, json_values), kinds
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.lists(near_lines, max_size=3).map(b"\n".join)), st.booleans())
@example(b'{"do":"PushMel","track":"","index":null,"frames":{"bands":0,"f32":""},"at_sample":0}\n', True)
def test_any_bytes_are_read_or_refused_in_a_sentence(
    tmp_path_factory: Any, junk: bytes, headed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.jsonl"
    path.write_bytes((json.dumps(HEADER).encode() + b"\n" if headed else b"") + junk + b"\n")
    with suppress(RecordingError):
        assert all(isinstance(command, Command) for command in Journal(path).commands())
