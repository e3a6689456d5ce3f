"""What is wrong gets a sentence: which thing, where, and what to do; the show is not touched."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from synthhost.cli.app import make_app
from synthhost.core.errors import SynthhostError

Refused = Callable[..., str]

_HOST = ("live", "--sink", "null", "--osc-port", "0")
_SOLO_STEMS = ("voice-dry", "voice-wet", "master", "cue")


@pytest.fixture
def refused(stage: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Refused:
    """Return a function that runs a command in this process and returns the sentence it ended with."""
    for name in ("SYNTHHOST_HOME", "SYNTHHOST_PRESETS"):
        monkeypatch.setenv(name, stage.env[name])
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        ended = CliRunner().invoke(make_app(arguments[0]), list(arguments))
        assert isinstance(ended.exception, SynthhostError), (ended.output, ended.exception)
        return str(ended.exception)

    return run


def write_set(stage: Any, name: str, body: str) -> None:
    """Add a set with lines of its own."""
    head = f"synthhost: set/1\nname: {name}\nblock_samples: 256\nchunk_frames: 2\n"
    (stage.presets / "sets" / f"{name}.yaml").write_text(head + body)


def write_preset(stage: Any, name: str, sound: str) -> None:
    """Add a preset like "plain" that plays another sound, and a set of that name."""
    preset = (stage.presets / "plain.yaml").read_text()
    text = preset.replace("name: plain", f"name: {name}").replace("tone.wav", sound)
    (stage.presets / f"{name}.yaml").write_text(text)
    stage.add_set(name, f"[{{name: voice, preset: {name}}}]")


def test_names_that_do_not_exist_are_answered_with_the_nearest(stage: Any, refused: Refused) -> None:
    assert "Did you mean 'solo'?" in refused(*_HOST, "--set", "sollo")
    write_set(stage, "astray", "tracks: [{name: voice, preset: plainn}]\n")
    assert "Did you mean 'plain'?" in refused(*_HOST, "--set", "astray")
    stage.add_preset("homeless", "smal-a", "{speed: 1.0}")
    stage.add_set("homeless", "[{name: voice, preset: homeless}]")
    assert "Did you mean 'small-a'?" in refused(*_HOST, "--set", "homeless")


def test_a_wrong_line_in_a_set_is_named(stage: Any, refused: Refused) -> None:
    write_set(stage, "typo", "blok: 3\ntracks: [{name: voice, preset: plain}]\n")
    said = refused(*_HOST, "--set", "typo")
    assert "typo.yaml" in said
    assert "blok" in said
    write_set(stage, "eager", "ahead_ms: 4000\ntracks: [{name: voice, preset: plain}]\n")
    assert "2000 ms ahead at most" in refused(*_HOST, "--set", "eager")


def test_a_missing_sound_is_named_with_its_path(stage: Any, refused: Refused) -> None:
    write_preset(stage, "silent", "gone.wav")
    assert str(stage.presets / "gone.wav") in refused(*_HOST, "--set", "silent")


def test_a_sound_that_is_none_ends_the_start_with_its_path(stage: Any) -> None:
    (stage.presets / "broken.wav").write_bytes(b"RIFF" + bytes(100))
    write_preset(stage, "broken", "broken.wav")
    ended = stage.run(*_HOST, "--set", "broken")
    assert ended.returncode == 1
    assert "broken.wav" in ended.stderr
    assert "The engine process could not start" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_places_that_cannot_be_recorded_to_are_refused_before_anything_starts(
    refused: Refused, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("here")
    record = (*_HOST, "--set", "plain", "--record")
    assert "Choose another folder" in refused(*record, str(file))
    assert "Choose another folder" in refused(*record, str(file / "in"))
    assert "Choose a new one" in refused(*record, str(tmp_path))
    assert file.read_text() == "here"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--sink", "file"), "--out"),
        (("--sink", "loud"), "device, null and file"),
        (("--for", "inf", "--sink", "null"), "give a number"),
        (("--timetags", "maybe"), "follow and ignore"),
        (("--osc-port", "70000"), "1 to 65535"),
    ],
)
def test_options_that_make_no_sense_are_explained(
    refused: Refused, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in refused("live", "--set", "plain", *arguments)


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "soon"])
def test_a_planned_end_must_lie_ahead(seconds: str) -> None:
    ended = CliRunner().invoke(make_app("live"), [*_HOST, "--for", seconds])
    assert ended.exit_code == 2
    assert "--for" in ended.output


def test_a_device_that_is_not_there_is_refused_with_what_there_is(stage: Any, jack_servers: Any) -> None:
    server = jack_servers()
    ended = stage.run(
        "live", "--set", "plain", "--device", "nonesuch", env={**stage.env, **server.environment}
    )
    assert ended.returncode == 1
    assert "'nonesuch'. There are: " in ended.stderr.replace("\n", " ")
    assert "JACK" in ended.stderr


# -- messages to a running host ----------------------------------------------------------------------

_NAN = (",f", b"\x7f\xc0\x00\x00")
_INFINITE = (",f", b"\x7f\x80\x00\x00")


def packet(address: str, tags: str, body: bytes) -> bytes:
    """Return an OSC message from its raw parts."""
    padded = [part + bytes(4 - len(part) % 4) for part in (address.encode(), tags.encode())]
    return b"".join(padded) + body


def mel(bands: int, value: bytes = bytes(4)) -> bytes:
    """Return a message with one frame for the track "feed"."""
    return packet("/track/feed/mel", "," + "f" * bands, value * bands)


_REFUSED = (
    (packet("/track/voice/gain", *_NAN), "/track/voice/gain", "not a value that can be played"),
    (packet("/track/voice/param/speed", *_INFINITE), "/track/voice/param/speed", "not a value"),
    (packet("/track/voice/norm/gain_db", *_NAN), "/track/voice/norm/gain_db", "not a value"),
    (mel(80, _NAN[1]), "/track/feed/mel", "not finite numbers"),
    (mel(80, _INFINITE[1]), "/track/feed/mel", "not finite numbers"),
    (mel(79), "/track/feed/mel", "80"),
    (packet("/track/feed/mel", ",b", b"\0\0\0\x04" + bytes(4)), "/track/feed/mel", "320 bytes"),
    (packet("/track/voice/gian", ",f", bytes(4)), "/track/voice/gian", "Did you mean '/track/voice/gain'?"),
    (packet("/track/vioce/gain", ",f", bytes(4)), "/track/vioce/gain", "Did you mean 'voice'?"),
    (packet("/track/voice/preset", ",s", b"tow\0"), "/track/voice/preset", "Did you mean 'two'?"),
    (packet("/track/voice/gain", ",s", b"up\0\0"), "/track/voice/gain", "must be a number"),
    (packet("/track/voice/gain", ",", b""), "/track/voice/gain", "got 0 arguments"),
    (packet("/track/voice/tape/load", ",s", b"/no\0"), "/track/voice/tape/load", "no such sound file"),
    (packet("/sync", ",f", b"\x3f\0\0\0"), "/sync", "whole number"),
    (packet("/track/none*/gain", ",f", bytes(4)), "/track/none*/gain", "no address matches"),
    (packet("/subscribe", ",is", b"\0\0\0\0me\0\0"), "/subscribe", "begins with '/'"),
)
_MALFORMED = (b"", b"/", b"nonsense", b"/a\0\0,f\0\0", b"#bundle\0", b"/a\0\0,q\0\0", bytes(64))


@pytest.fixture(scope="module")
def playing(start_once: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A host that records, for everything in this file that must not touch it."""
    take = tmp_path_factory.mktemp("bad") / "take"
    live = start_once("--set", "pair", "--record", str(take))
    live.take = take
    return live


def test_a_second_host_on_the_port_is_refused_and_the_first_plays_on(stage: Any, playing: Any) -> None:
    played = playing.status()["time_s"]
    second = stage.run("live", "--set", "plain", "--sink", "null", "--osc-port", str(playing.port))
    assert second.returncode == 1
    assert f"port {playing.port} is already used" in second.stderr
    assert "--osc-port" in second.stderr
    assert "Traceback" not in second.stderr
    assert playing.status()["time_s"] > played


def test_journals_that_cannot_be_rendered_are_refused(
    playing: Any, stage: Any, refused: Refused, tmp_path: Path
) -> None:
    assert "journal" in refused("render", str(stage.presets / "plain.yaml"))
    assert "Check the path" in refused("render", str(tmp_path / "nothing"))
    assert "needs a journal" in refused("render", "--out", str(tmp_path / "new"))
    journal = (playing.take / "journal.jsonl").read_text()
    tone = str(stage.presets / "tone.wav")
    assert tone in journal
    sound = next(iter(json.loads(journal.splitlines()[0])["models"].values()))
    other = tmp_path / "other.wav"
    shutil.copy(tone, other)
    with other.open("ab") as file:
        file.write(b"\0" * 4)
    for wrong, right, sentence in (
        (str(other), tone, "the sound has changed"),
        (str(tmp_path / "lost.wav"), tone, "lost.wav"),
        ("small-z", "small-a", "no model is named 'small-z'"),
        ("0" * 64, sound, "weights, or numbers in its manifest, have changed"),
    ):
        written = tmp_path / "written.jsonl"
        written.write_text(journal.replace(right, wrong))
        assert sentence in refused("render", str(written), "--out", str(tmp_path / sentence[:4]))


def test_what_cannot_be_meant_is_answered_once_counted_and_changes_nothing(
    playing: Any, stage: Any, tmp_path: Path
) -> None:
    before = playing.status()
    for raw, address, sentence in _REFUSED:
        errors = playing.errors_to(raw)
        assert len(errors) == 1, (raw, errors)
        assert errors[0][0] == address
        assert sentence in errors[0][1], errors[0]
    for raw in _MALFORMED[1:]:
        errors = playing.errors_to(raw)
        assert len(errors) == 1, (raw, errors)
        assert errors[0][1], "a sentence"
    after = playing.status()
    assert after["malformed"] - before["malformed"] == len(_MALFORMED) - 1
    assert after["rejected"] - before["rejected"] == len(_REFUSED)
    assert playing.ask("/q/track/voice/gain", expect="/track/voice/gain") == [0.0]
    assert playing.stop() == 0
    assert not any("do" in line for line in journal_of(playing.take)), "nothing of it took effect"
    rendered = stage.run("render", str(playing.take), "--out", str(tmp_path / "again"))
    assert rendered.returncode == 0, rendered.stderr
    for name in ("voice-wet", "feed-wet", "master"):
        was, _ = soundfile.read(playing.take / f"{name}.wav", dtype="float32")
        now, _ = soundfile.read(tmp_path / "again" / f"{name}.wav", dtype="float32")
        assert np.array_equal(was, now), f"{name} differs"


def journal_of(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a journal."""
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


# -- what the machine cannot give --------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of three megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_the_show_goes_on_when_the_disk_is_full(start: Any, small_disk: Path, tmp_path: Path) -> None:
    take = small_disk / "take"
    heard = small_disk / "heard.wav"
    live = start("--set", "solo", "--record", str(take), "--out", str(heard), sink="file")
    live.wait(lambda: "The recording has ended" in live.said(), "the full disk to be told")
    live.wait(lambda: "The show goes on without it" in live.said(), "the file's end to be told")
    assert "no room left on the disk" in live.said()
    live.send("/track/voice/gain", -6.0)
    live.until("/track/voice/gain", -6.0)
    status = live.status()
    assert status["tap_drops"] > 0
    live.wait(lambda: live.status()["time_s"] > status["time_s"] + 0.3, "the show to go on")
    assert live.said().count("The recording has ended") == 1
    live.send("/record/start", "second")
    live.wait(lambda: (tmp_path / "takes" / "second" / "master.wav").exists(), "a take elsewhere to begin")
    assert live.stop() == 0, live.said()
    assert "Traceback" not in live.said()
    assert live.said().count("The show goes on without it") == 1
    assert soundfile.info(heard).frames > 24000
    lengths = {soundfile.info(take / f"{stem}.wav").frames for stem in _SOLO_STEMS}
    assert len(lengths) == 1
    assert min(lengths) > 48000
    sound, _ = soundfile.read(take / "master.wav")
    assert np.abs(sound[:24000]).max() > 0.01


def test_a_model_that_cannot_keep_up_is_told_and_still_recorded_whole(
    stage: Any, slow_model: str, tmp_path: Path
) -> None:
    stage.add_preset("slow", slow_model, "{speed: 1.0}")
    write_set(stage, "slow", "tracks: [{name: voice, preset: slow}]\n")
    take = tmp_path / "take"
    ended = stage.run(*_HOST, "--set", "slow", "--for", "2", "--record", str(take), "--backend", "torch")
    assert ended.returncode == 0, ended.stderr
    note = re.search(r"Note: (\S+) needs ([0-9.]+) of real time.*", ended.stderr)
    assert note is not None, ended.stderr
    assert note[1] == f"{slow_model}?backend=torch"
    assert float(note[2]) > 1.0
    assert "smaller model" in note[0]
    assert "Played 2.0 s" in ended.stderr
    assert {soundfile.info(take / f"{stem}.wav").frames for stem in _SOLO_STEMS} == {96000}
    assert journal_of(take)[-1] == {"end": 96000}
