"""The show goes on when a process dies, and everything ends cleanly when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

PAIR_STEMS = ("voice-dry", "voice-wet", "feed-dry", "feed-wet", "master", "cue")
_PLAIN_HOST = ("live", "--set", "plain", "--sink", "null", "--osc-port", "0")
SOLO_STEMS = ("voice-dry", "voice-wet", "master", "cue")


def run_folders(live: Any) -> list[Path]:
    """Return the folders a host keeps its shared memory in."""
    places = (Path("/dev/shm"), Path(tempfile.gettempdir()))
    return [folder for place in places for folder in place.glob(f"synthhost-{live.process.pid}-*")]


def frames(path: Path) -> int:
    """Return how many samples a stem that may still grow can be read to."""
    try:
        return int(soundfile.info(path).frames)
    except soundfile.SoundFileError:
        return 0


def stems_of(folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Read stems, each `[samples, channels]`."""
    return {
        name: soundfile.read(folder / f"{name}.wav", dtype="float32", always_2d=True)[0] for name in names
    }


def journal_of(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a journal."""
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


def assert_grows(live: Any, path: Path, by_samples: int = 24000) -> None:
    """Wait until a stem has grown by half a second."""
    before = frames(path)
    live.wait(lambda: frames(path) > before + by_samples, f"{path.name} to grow")


def assert_renders(stage: Any, take: Path, again: Path, names: tuple[str, ...]) -> None:
    """Render a journal and compare as far as both recordings reach, which is all of it if it ended well."""
    rendered = stage.run("render", str(take), "--out", str(again))
    assert rendered.returncode == 0, rendered.stderr
    was, now = stems_of(take, names), stems_of(again, names)
    for name in names:
        both = min(len(was[name]), len(now[name]))
        assert np.array_equal(was[name][:both], now[name][:both]), f"{name} differs"


def test_a_control_process_that_hangs_is_replaced_and_an_engine_that_hangs_is_told_of(
    start: Any, stage: Any
) -> None:
    live = start("--set", "plain")
    hanging, engine = live.child("control"), live.child("engine")
    live.send_signal("control", signal.SIGSTOP)
    live.send_signal("engine", signal.SIGSTOP)
    live.wait(lambda: "The control process hangs" in live.said(), "the hanging control process to be told")
    live.wait(lambda: "The engine hangs" in live.said(), "the hanging engine to be told")
    live.wait(lambda: live.child("control") not in (0, hanging), "another control process")
    assert live.child("engine") == engine
    os.kill(engine, signal.SIGCONT)
    live.wait(lambda: "The engine plays on." in live.said(), "the engine's return to be told")
    live.wait(live.answers, "the control process to answer")
    assert live.status()["control_restarts"] == 1
    live.wait(lambda: "The control process is back" in live.said(), "the control's return to be told")
    assert live.stop() == 0, live.said()
    assert [live.said().count(text) for text in ("hangs: no sign", "engine hangs", "plays on.\n")] == [
        1,
        1,
        2,
    ]


def test_a_run_flooded_with_changes_ends_well(start: Any, stage: Any) -> None:
    live = start("--set", "plain")
    for number in range(400):
        live.send("/track/voice/preset", ("one", "two", "three")[number % 3], 10_000.0)
    live.wait(
        lambda: any("still loading" in str(one.params) for one in live.drain()), "a change to be refused"
    )
    assert live.stop() == 0, live.said()


def test_the_show_outlives_its_control_and_its_sink(start: Any, stage: Any, tmp_path: Path) -> None:
    take = tmp_path / "take"
    live = start("--set", "pair", "--record", str(take))
    port, master = live.port, take / "master.wav"
    live.send("/track/voice/preset", "two", 30.0)
    live.until("/track/voice/preset", "two")
    live.send("/track/voice/gain", -7.0)
    for step in range(300):
        live.send("/track/voice/param/speed", step / 300)
    live.send("/track/feed/pan", -0.5)
    live.sync()

    live.send_signal("control", signal.SIGKILL)
    assert_grows(live, master)
    live.wait(live.answers, "the control process to come back")
    assert live.port == port
    live.until("/track/voice/param/speed", pytest.approx(299 / 300))
    for address, value in (
        ("/track/voice/gain", -7.0),
        ("/track/feed/pan", -0.5),
        ("/track/voice/preset", "two"),
    ):
        assert live.ask(f"/q{address}", expect=address) == [value]
    live.send("/track/voice/gain", -5.0)
    live.until("/track/voice/gain", -5.0)
    before = live.status()
    assert before["messages"] >= 300, "what the control process before it counted goes on"

    live.send_signal("sink", signal.SIGKILL)
    live.wait(lambda: live.status()["sink_restarts"] == 1, "the sink's death to be counted")
    assert_grows(live, master)
    live.wait(lambda: live.status()["sink_ready"] == 1, "the sink to come back")
    after = live.status()
    assert after["sink_ready"] == 1
    live.wait(lambda: "The sound is back" in live.said(), "the sink's return to be said")
    assert live.said().count("process ended (killed by SIGKILL)") == 2
    gaps = live.status()["underruns"]
    live.send("/track/voice/gain", -3.0)
    live.sync(2)
    assert live.status()["underruns"] <= gaps + 1, "the sound goes on where the engine stands"

    live.process.send_signal(signal.SIGTERM)
    assert live.end() == 0, live.said()
    assert not run_folders(live)
    lengths = {len(sound) for sound in stems_of(take, PAIR_STEMS).values()}
    assert len(lengths) == 1, "all stems have the same length"
    lines = journal_of(take)
    speeds = [line["value"] for line in lines if line.get("param") == "speed"]
    assert np.allclose(speeds, np.arange(300) / 300), "no line was lost or written twice"
    gains = [line["value"] for line in lines if line.get("param") == "gain_db" and line["track"] == "voice"]
    assert gains == [-7.0, -5.0, -3.0]
    assert lines[-1] == {"end": lengths.pop()}
    assert_renders(stage, take, tmp_path / "again", PAIR_STEMS)


@pytest.mark.parametrize("process", ["control", "sink"])
def test_what_may_have_to_start_again_needs_no_torch(process: str) -> None:
    program = f"import sys, synthhost.host.{process}_process; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_dead_engine_ends_its_host_and_no_other(start: Any, stage: Any, tmp_path: Path) -> None:
    take, other_take = tmp_path / "take", tmp_path / "other"
    live = start("--set", "solo", "--record", str(take))
    other = start("--set", "solo", "--record", str(other_take))
    assert live.port != other.port
    live.send("/track/voice/gain", -4.0)
    live.until("/track/voice/gain", -4.0)
    assert other.ask("/q/track/voice/gain", expect="/track/voice/gain") == [0.0]

    played = live.status()["time_s"] * 48000
    children = live.children()
    live.send_signal("engine", signal.SIGKILL)
    assert live.end(15.0) == 1
    assert "The engine process ended (killed by SIGKILL)" in live.said()
    assert "Traceback" not in live.said()
    assert not any(alive(pid) for pid in children)
    assert not run_folders(live)
    for stem in SOLO_STEMS:
        assert frames(take / f"{stem}.wav") > played - 48000, f"{stem} can be read up to the last second"

    assert_grows(other, other_take / "master.wav")
    other.process.send_signal(signal.SIGINT)
    other.wait(lambda: "Stopping" in other.said() or other.process.poll() is not None, "the end to begin")
    other.process.send_signal(signal.SIGINT)  # impatience cuts nothing short
    assert other.end() == 0, other.said()
    assert "Traceback" not in other.said()
    assert len({len(sound) for sound in stems_of(other_take, SOLO_STEMS).values()}) == 1
    assert not run_folders(other)
    assert_renders(stage, take, tmp_path / "again", SOLO_STEMS)
    assert frames(tmp_path / "again" / "master.wav") >= frames(take / "master.wav")


def test_without_its_supervisor_everything_ends_by_itself(start: Any, stage: Any, tmp_path: Path) -> None:
    take = tmp_path / "take"
    live = start("--set", "solo", "--record", str(take))
    assert_grows(live, take / "master.wav")
    live.send("/track/voice/gain", -4.0)
    live.sync()
    children = live.children()
    assert len(children) == 3
    live.process.kill()
    live.process.wait(10)
    live.wait(
        lambda: not any(alive(pid) for pid in children), "the processes to end", timeout_s=10.0
    )  # within two seconds on a machine that is not busy
    lengths = {len(sound) for sound in stems_of(take, SOLO_STEMS).values()}
    assert len(lengths) == 1, "the stems were finished"
    assert journal_of(take)[-1] == {"end": lengths.pop()}
    left = run_folders(live)
    assert left, "nobody was there to clean up"
    short = tmp_path / "short"
    ended = stage.run(*_PLAIN_HOST, "--for", "0.05", "--record", str(short))
    assert ended.returncode == 0, ended.stderr
    assert_exact(short, 2400)
    assert not any(folder.exists() for folder in left), "the next host cleans up"


def alive(pid: int) -> bool:
    """Say whether a process runs, a zombie nobody waits for excepted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def assert_exact(take: Path, samples: int) -> None:
    """Hold every stem, and the journal, to a length."""
    assert {len(sound) for sound in stems_of(take, SOLO_STEMS).values()} == {samples}
    assert journal_of(take)[-1] == {"end": samples}


def test_ending_while_models_load_leaves_nothing(stage: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-m", "synthhost", *_PLAIN_HOST]
    with log.open("w") as file:
        process = subprocess.Popen(command, env=stage.env, stderr=file, stdout=file, cwd=tmp_path)
    end_s = time.monotonic() + 60
    while "Loading" not in log.read_text():
        assert time.monotonic() < end_s
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0, log.read_text()
    assert "Traceback" not in log.read_text()
    assert "smaller set" not in log.read_text()
    assert not list(Path("/dev/shm").glob(f"synthhost-{process.pid}-*"))


@pytest.mark.jack
def test_the_sound_comes_back_with_the_jack_server(
    start: Any, jack_servers: Any, stage: Any, tmp_path: Path
) -> None:
    server, take = jack_servers(), tmp_path / "take"
    env = {**stage.env, **server.environment}
    live = start("--set", "plain", "--record", str(take), env=env, sink="device")
    live.wait(lambda: live.status()["sink_ready"] == 1, "the device")
    server.stop(signal.SIGKILL)
    live.wait(lambda: live.status()["sink_ready"] == 0, "the loss to be noticed")
    said = live.said()
    assert_grows(live, take / "master.wav")
    live.wait(lambda: live.status()["sink_restarts"] >= 3, "three tries to open it again", timeout_s=60.0)
    lost = [line for line in live.said().splitlines() if "plays on" in line]
    assert len(lost) == 1, live.said()
    assert len(live.said().splitlines()) - len(said.splitlines()) <= 2, live.said()  # once why, however often
    server.start()
    live.wait(lambda: "The sound is back" in live.said(), "the sound to come back", timeout_s=60.0)
    assert live.status()["sink_ready"] == 1
    gaps = live.status()["concealed_samples"]
    played = live.status()["time_s"]
    live.wait(lambda: live.status()["time_s"] > played + 0.5, "the sound to go on")
    assert live.status()["concealed_samples"] <= gaps + 24000
    assert live.stop() == 0, live.said()
    assert "Traceback" not in live.said()
