"""What was recorded live is rendered again to the bit."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

STEMS = ("voice-dry", "voice-wet", "feed-dry", "feed-wet", "master", "cue")


def test_a_session_with_everything_in_it_renders_bit_equal(start: Any, stage: Any, tmp_path: Path) -> None:
    take, again = tmp_path / "take", tmp_path / "again"
    live = start("--set", "pair", "--record", str(take))
    _perform(live, stage.presets / "tone.wav")
    assert live.stop() == 0, live.said()
    rendered = stage.run("render", str(take), "--out", str(again))
    assert rendered.returncode == 0, rendered.stderr
    journal = [json.loads(line) for line in (take / "journal.jsonl").read_text().splitlines()]
    done = [line["do"] for line in journal if "do" in line]
    assert done.count("Activate") == 4, "every preset, candidate and tape that was asked for arrived"
    assert {"SetParam", "PushMel", "LoadPreset", "CuePreset", "CommitCue", "LoadTape", "Panic"} <= set(done)
    for stem in STEMS:
        heard, rate = soundfile.read(take / f"{stem}.wav", dtype="float32", always_2d=True)
        rerun, _ = soundfile.read(again / f"{stem}.wav", dtype="float32", always_2d=True)
        assert rate == 48000
        assert np.array_equal(heard, rerun), f"{stem} differs"
    master, _ = soundfile.read(take / "master.wav", dtype="float32", always_2d=True)
    assert 0.01 < np.abs(master).max() <= 0.9, "the material is audible and under the ceiling"


def _perform(live: Any, tone: Path) -> None:
    rng = np.random.default_rng(1)
    for index in range(12):
        live.send("/track/feed/mel", index, *rng.uniform(-6, -1, 80).tolist())
        live.send("/track/voice/param/speed", float(rng.uniform(-1, 1)))
        live.send("/track/*/pan", float(rng.uniform(-1, 1)))
        time.sleep(0.02)
    live.send("/track/voice/preset", "two", 40.0)
    live.until("/track/voice/preset", "two")
    live.send("/track/voice/cue", "three")
    live.until("/track/voice/cue", "three")
    _send_bundle_ahead(live)
    live.send("/track/voice/macro/drift", 0.8)
    live.send("/track/voice/cue/commit", 25.0)
    live.until("/track/voice/preset", "three")
    live.send("/track/voice/fx/0/wet_level", 0.5)
    live.send("/track/voice/tape/load", str(tone))
    live.send("/track/voice/preset", "one")
    live.until("/track/voice/preset", "one")
    live.send("/panic")
    live.sync()
    live.send("/track/*/mute", 0)
    live.send("/master/gain", -4.0)
    time.sleep(0.3)
    live.sync(2)


def _send_bundle_ahead(live: Any) -> None:
    bundle = OscBundleBuilder(time.time() + 0.4)
    for step in range(4):
        builder = OscMessageBuilder("/track/voice/gain")
        builder.add_arg(-3.0 * step)
        bundle.add_content(builder.build())
    live.socket.sendto(bundle.build().dgram, ("127.0.0.1", live.port))
