from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import pytest

from synthhost.control.encoding import encode, encode_bundle
from synthhost.control.packets import Impulse
from synthhost.core.mel_conventions import MEL_CONVENTIONS
from synthhost.core.params import ParamSpec


def spec(name: str, low: float, high: float, default: float, **more: Any) -> dict[str, Any]:
    return ParamSpec(name, more.pop("unit", ""), low, high, default, f"about {name}", **more).as_json()


MIXER = [
    spec("gain_db", -60, 12, 0, unit="dB"),
    spec("pan", -1, 1, 0),
    spec("mute", 0, 1, 0, kind="bool"),
    spec("solo", 0, 1, 0, kind="bool"),
]


def track(index: int, source: str, params: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "index": index,
        "params": [*params, *MIXER],
        "macros": more.pop("macros", []),
        "preset": more.pop("preset", "first"),
        "cue": None,
        "source": source,
        "bands": 80,
        "mel": asdict(MEL_CONVENTIONS["jik876"].published),
        "values": {},
        "model": {"name": "m"},
        **more,
    }


@pytest.fixture
def description() -> dict[str, Any]:
    drift = {
        "name": "drift",
        "about": "more motion",
        "value": 0.25,
        "targets": [
            {"param": "speed", "from": 1.0, "to": -1.0},
            {"param": "fx.0.wet_level", "from": 0.0, "to": 2.0},
        ],
    }
    voice_params = [
        spec("position", 0, 1, 0),
        spec("speed", -4, 4, 1, unit="x"),
        spec("freeze", 0, 1, 0, kind="bool"),
        spec("fx.0.wet_level", 0, 1, 0.3),
        spec("fx.1.cutoff_hz", 20, 20_000, 1000, unit="Hz", curve="log"),
    ]
    return {
        "tracks": {
            "voice": track(0, "tape", voice_params, macros=[drift], values={"speed": 0.5}),
            "choir": track(1, "frames", [spec("depth", 0, 16, 4, kind="int")]),
        },
        "master": {"params": [spec("gain_db", -60, 12, 0, unit="dB")], "values": {"gain_db": -3.0}},
        "latency": {
            "voice": [
                {"name": "control wait", "ms": 10.0, "varies": False, "note": ""},
                {"name": "model look-ahead", "ms": 148.0},
            ]
        },
        "sample_rate": 48_000,
        "block_samples": 256,
        "recording": None,
    }


def malformed(seed: int, count: int) -> Iterator[bytes]:
    """Yield hostile packets: random, cut, stretched, bent, deeply nested, huge, empty."""
    chance = random.Random(seed)
    good = [
        encode("/track/voice/param/speed", (0.5,)),
        encode(
            "/a", (1, 2.5, "text", b"blob", True, None, Impulse.IMPULSE, (1, ("x", 2.0))), "ifsbTNI[i[sf]]"
        ),
        encode("/mel", tuple(float(band) for band in range(80))),
        encode_bundle(1, [encode("/a", (1,)), encode_bundle(1 << 40, [encode("/b", ("s",))])]),
    ]
    for number in range(count):
        yield _bent(chance, good[number % len(good)], number % 9)


def _bent(chance: random.Random, good: bytes, way: int) -> bytes:
    packet = bytearray(good)
    place = chance.randrange(len(packet))
    match way:
        case 0:
            return bytes(packet[:place])
        case 1:
            return chance.randbytes(chance.randrange(64))
        case 2:
            return b"/" + chance.randbytes(4 * chance.randrange(16) + 3)
        case 3:
            packet[place] = chance.randrange(256)
        case 4:
            del packet[place : place + chance.randrange(1, 5)]
        case 5:
            packet[place:place] = chance.randbytes(chance.choice((1, 4, 8)))
        case 6:
            start = 4 * chance.randrange(max(len(packet) // 4, 1))
            packet[start : start + 4] = struct.pack(">i", chance.choice((-1, -4, 0, 3, 1 << 30, -(1 << 31))))
        case 7:
            tags = bytes(chance.choices(b"ifsbhdtTFNIScrm[]x\xff", k=chance.randrange(12)))
            head = b"/f\0\0," + tags
            return head + bytes(-len(head) % 4 or 4) + chance.randbytes(4 * chance.randrange(8))
        case 8:
            return b"#bundle\0" + chance.randbytes(8) + struct.pack(">i", 4 * place) + bytes(packet)
    return bytes(packet)


def deep_bundle(depth: int) -> bytes:
    packet = encode("/deep")
    for _ in range(depth):
        packet = encode_bundle(1, [packet])
    return packet


MONSTERS = {
    "empty": b"",
    "unaligned": b"/a\0",
    "500 deep": deep_bundle(500),
    "64 KB of zeros": bytes(65_504),
    "64 KB of slashes": b"/" * 65_504,
    "64 KB of opening arrays": b"/a\0\0," + b"[" * 65_000 + bytes(3),
    "too large": b"/a\0\0" + bytes(65_508),
    "bad UTF-8 address": b"/\xff\xfe\0,\0\0\0",
    "unprintable address": b"/a\x07\0,\0\0\0",
    "negative blob": b"/a\0\0,b\0\0" + struct.pack(">i", -4),
    "short float": b"/a\0\0,f\0\0\0\0",
    "unknown tag": b"/a\0\0,Qi\0" + bytes(8),
    "left over": b"/a\0\0,i\0\0" + bytes(8),
    "element too large": b"#bundle\0" + bytes(8) + struct.pack(">i", 64) + b"/a\0\0,\0\0\0",
    "element of no bytes": b"#bundle\0" + bytes(8) + bytes(4),
    "many elements": b"#bundle\0" + bytes(8) + (struct.pack(">i", 4) + b"/a\0\0") * 8193,
}


@pytest.fixture
def malformed_packets() -> Callable[[int, int], Iterator[bytes]]:
    return malformed


@pytest.fixture(params=MONSTERS)
def monster(request: pytest.FixtureRequest) -> bytes:
    return MONSTERS[request.param]


@pytest.fixture
def monsters() -> list[bytes]:
    return list(MONSTERS.values())
