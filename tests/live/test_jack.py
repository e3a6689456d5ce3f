"""A real JACK server and real OSC clients: JACK hears the master stem, and the journal renders it again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

_RATE = 48000

# Runs in a process of its own: PortAudio and libjack keep state per process and write to stderr.
_PROBE = """
import contextlib, select, sys
import jack, numpy as np
client = jack.Client("probe")
inputs = [client.inports.register(f"in_{number}") for number in range(4)]
blocks = []
client.set_process_callback(lambda _: blocks.append(np.stack([port.get_array().copy() for port in inputs])))
client.activate()
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0.002)[0]:
    for number, into in enumerate(inputs):
        if not into.number_of_connections:
            with contextlib.suppress(jack.JackError):
                client.connect(f"PortAudio:out_{number}", into)
client.deactivate()
np.save(sys.argv[1], np.concatenate(blocks, axis=1))
client.close()
"""

_PATCH = """#N canvas 0 0 450 300 10;
#X obj 10 10 loadbang;
#X msg 10 40 connect 127.0.0.1 {port};
#X obj 10 200 netsend -u -b;
#X msg 120 40 0.37;
#X obj 120 70 oscformat track voice param brightness;
#X obj 120 100 list prepend send;
#X obj 120 130 list trim;
#X obj 160 10 delay 200;
#X connect 0 0 1 0;
#X connect 1 0 2 0;
#X connect 0 0 7 0;
#X connect 7 0 3 0;
#X connect 3 0 4 0;
#X connect 4 0 5 0;
#X connect 5 0 6 0;
#X connect 6 0 2 0;
"""


@pytest.fixture
def jack(needs: Any, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A JACK server of its own on the dummy driver; yields the environment that leads to it."""
    needs("jackd", "jack_wait")
    pytest.importorskip("jack", reason="the Python module JACK-Client is not installed", exc_type=ImportError)
    server = {
        "JACK_DEFAULT_SERVER": f"synthhost-test-{os.getpid()}",
        "JACK_NO_START_SERVER": "1",
        "JACK_NO_AUDIO_RESERVATION": "1",
    }
    env = {**os.environ, **server}
    command = [
        "jackd",
        "-S",
        "--no-realtime",
        "-d",
        "dummy",
        "-r",
        str(_RATE),
        "-p",
        "512",
        "-C",
        "4",
        "-P",
        "4",
    ]
    with (tmp_path / "jackd.log").open("w") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    ready = subprocess.run(["jack_wait", "-w", "-t", "20"], env=env, capture_output=True, check=False)
    assert ready.returncode == 0, (tmp_path / "jackd.log").read_text()
    yield server
    process.terminate()
    process.wait(20)


@pytest.mark.jack
def test_jack_hears_the_master_stem_under_oscsend_and_pure_data_and_the_journal_renders_it(
    jack: dict[str, str], needs: Any, start: Any, stage: Any, tmp_path: Path
) -> None:
    needs("oscsend", "pd")
    take, again, heard_path = tmp_path / "take", tmp_path / "again", tmp_path / "heard.npy"
    env = {**stage.env, **jack}
    command = [sys.executable, "-c", _PROBE, str(heard_path)]
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    probe = subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, stderr=nothing)
    assert probe.stdout is not None
    assert probe.stdout.readline() == b"ready\n"
    live = start("--set", "solo", "--record", str(take), "--ahead-ms", "500", env=env, sink="device")
    _move_with_oscsend(live)
    _move_with_pure_data(live, tmp_path)
    time.sleep(1.5)  # of sound to compare
    live.sync()
    status = live.status()
    assert live.stop() == 0, live.said()
    probe.communicate(b"end", timeout=60)
    assert probe.returncode == 0
    rendered = stage.run("render", str(take), "--out", str(again))
    assert rendered.returncode == 0, rendered.stderr

    master, _ = soundfile.read(take / "master.wav", dtype="float32")
    rerun, _ = soundfile.read(again / "master.wav", dtype="float32")
    assert np.array_equal(master, rerun), "the rendered master differs"
    heard = np.load(heard_path)[:2].T
    assert status["underruns"] == 0, f"the machine was too busy to play without gaps: {status}"
    _assert_same_sound(heard, master)
    journal = (take / "journal.jsonl").read_text()
    assert '"param":"speed"' in journal, "oscsend moved the track"
    assert '"param":"brightness"' in journal, "Pure Data moved the track"


def _move_with_oscsend(live: Any) -> None:
    for value in ("0.5", "-0.3", "1.5"):
        address = ["localhost", str(live.port), "/track/voice/param/speed", "f", value]
        subprocess.run(["oscsend", *address], check=True, timeout=20)
        time.sleep(0.15)
    subprocess.run(
        ["oscsend", "localhost", str(live.port), "/track/voice/gain", "i", "-2"], check=True, timeout=20
    )


def _move_with_pure_data(live: Any, folder: Path) -> None:
    patch = folder / "move.pd"
    patch.write_text(_PATCH.format(port=live.port))
    command = ["pd", "-nogui", "-noaudio", "-nomidi", "-stderr", str(patch)]
    with (folder / "pd.log").open("w") as log:
        pure_data = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        end_s = time.monotonic() + 30
        while live.ask("/q/track/voice/param/brightness", expect="/track/voice/param/brightness")[0] == 0.0:
            assert time.monotonic() < end_s, (folder / "pd.log").read_text()
            time.sleep(0.1)
    finally:
        pure_data.terminate()
        pure_data.wait(20)


def _assert_same_sound(heard: Any, master: Any) -> None:
    """Compare from where the recorder was connected to the end of the shorter one."""
    begin = int(np.flatnonzero(np.abs(heard).sum(axis=1))[0]) + 4096  # by then both ports are connected
    heard = heard[begin:]
    places = np.flatnonzero((master == heard[0]).all(axis=1))
    found = [place for place in places if np.array_equal(master[place : place + 512], heard[:512])]
    assert found, "the beginning of what was heard is not in the master stem"
    count = min(len(heard), len(master) - found[0])
    assert count > 2 * _RATE, "at least two seconds were compared"
    same = heard[:count] == master[found[0] : found[0] + count]
    assert same.all(), f"first difference after {int(np.flatnonzero(~same.all(axis=1))[0])} samples"
