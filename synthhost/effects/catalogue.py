"""The effects a chain may hold, and what each of their parameters means.

Every class here streams exactly: any chunking gives the bits of one long call (tested). pedalboard's
Convolution (differs in the last bit), PitchShift, Resample, MP3Compressor and GSMFullRateCompressor (hold
samples back) are left out for that reason; plugins from files are not built-in effects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import pedalboard

from synthhost.core.errors import ConfigError, suggestion
from synthhost.core.params import Curve, ParamSpec

NYQUIST_SHARE = 0.45  # filters of this kind blow up near half the rate, so cutoffs stop here


@dataclass(frozen=True, slots=True)
class EffectSpec:
    """One effect: what makes it and what can be turned on it."""

    name: str
    doc: str
    make: Callable[[], Any]
    params: tuple[ParamSpec, ...]

    def params_at(self, sample_rate: int) -> tuple[ParamSpec, ...]:
        """Return the parameters with no frequency above what `sample_rate` (Hz) can carry."""
        return tuple(_limited(spec, NYQUIST_SHARE * sample_rate) for spec in self.params)


def effect_spec(name: str) -> EffectSpec:
    """Return the effect of that name.

    Raises:
        ConfigError: There is none; the message lists those there are.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    raise ConfigError(
        f"no effect is named {name!r} (only effects that stream exactly in blocks are taken)."
        f"{suggestion(name, CATALOGUE)} Allowed: {', '.join(CATALOGUE)}."
    )


def _limited(spec: ParamSpec, top_hz: float) -> ParamSpec:
    if spec.unit != "Hz" or spec.maximum <= top_hz:
        return spec
    return replace(spec, maximum=top_hz, default=min(spec.default, top_hz))


def _level(name: str, low: float, high: float, default: float, doc: str) -> ParamSpec:
    return ParamSpec(name, "dB", low, high, default, doc)


def _time(name: str, low: float, high: float, default: float, doc: str) -> ParamSpec:
    return ParamSpec(name, "ms", low, high, default, doc, curve="log")


def _pitch(name: str, default: float, doc: str) -> ParamSpec:
    return ParamSpec(name, "Hz", 20.0, 20000.0, default, doc, curve="log")


def _share(name: str, default: float, doc: str, high: float = 1.0) -> ParamSpec:
    return ParamSpec(name, "", 0.0, high, default, doc)


def _factor(name: str, low: float, high: float, default: float, doc: str, curve: Curve = "log") -> ParamSpec:
    return ParamSpec(name, "", low, high, default, doc, curve=curve)


_MIX = _share("mix", 0.5, "share of the effect against the dry sound")
_RATE = ParamSpec("rate_hz", "Hz", 0.01, 20.0, 1.0, "speed of the sweep", curve="log")
_Q = _factor("q", 0.1, 10.0, 0.7071, "narrowness of the curve")
_GAIN = _level("gain_db", -24.0, 24.0, 0.0, "lift or cut")
_FEEDBACK = _share("feedback", 0.0, "share fed back into the effect", high=0.95)
_ATTACK = _time("attack_ms", 0.1, 500.0, 1.0, "time to take hold")
_RELEASE = _time("release_ms", 1.0, 5000.0, 100.0, "time to let go")

_ALL = (
    EffectSpec(
        "Reverb",
        "a room (Freeverb)",
        pedalboard.Reverb,
        (
            _share("room_size", 0.5, "size of the room"),
            _share("damping", 0.5, "how soon the tail loses its treble"),
            _share("wet_level", 0.33, "level of the room"),
            _share("dry_level", 0.4, "level of the direct sound (0.5 leaves it as it is)"),
            _share("width", 1.0, "stereo width of the room"),
            ParamSpec("freeze_mode", "", 0.0, 1.0, 0.0, "hold the tail for ever", 0.0, kind="bool"),
        ),
    ),
    EffectSpec(
        "Delay",
        "echoes",
        pedalboard.Delay,
        (
            ParamSpec(
                "delay_seconds", "s", 0.001, 10.0, 0.5, "time to the echo; gliding bends it", curve="log"
            ),
            _FEEDBACK,
            _MIX,
        ),
    ),
    EffectSpec(
        "Chorus",
        "a wavering copy",
        pedalboard.Chorus,
        (
            _RATE,
            _share("depth", 0.25, "width of the sweep"),
            ParamSpec("centre_delay_ms", "ms", 1.0, 50.0, 7.0, "delay the sweep moves about", curve="log"),
            _FEEDBACK,
            _MIX,
        ),
    ),
    EffectSpec(
        "Phaser",
        "moving notches",
        pedalboard.Phaser,
        (
            _RATE,
            _share("depth", 0.5, "width of the sweep"),
            _pitch("centre_frequency_hz", 1300.0, "pitch the sweep moves about"),
            _FEEDBACK,
            _MIX,
        ),
    ),
    EffectSpec(
        "Compressor",
        "turns down what is loud",
        pedalboard.Compressor,
        (
            _level("threshold_db", -60.0, 0.0, 0.0, "level above which it works"),
            _factor("ratio", 1.0, 20.0, 1.0, "how many dB in make one dB out"),
            _ATTACK,
            _RELEASE,
        ),
    ),
    EffectSpec("Gain", "level", pedalboard.Gain, (_level("gain_db", -60.0, 24.0, 0.0, "lift or cut"),)),
    EffectSpec(
        "HighpassFilter",
        "takes the bass away, 6 dB an octave",
        pedalboard.HighpassFilter,
        (_pitch("cutoff_frequency_hz", 50.0, "corner"),),
    ),
    EffectSpec(
        "LowpassFilter",
        "takes the treble away, 6 dB an octave",
        pedalboard.LowpassFilter,
        (_pitch("cutoff_frequency_hz", 8000.0, "corner"),),
    ),
    EffectSpec(
        "LadderFilter",
        "a transistor ladder",
        pedalboard.LadderFilter,
        (
            ParamSpec(
                "mode",
                "",
                0.0,
                5.0,
                0.0,
                "0 LPF12, 1 HPF12, 2 BPF12, 3 LPF24, 4 HPF24, 5 BPF24",
                0.0,
                kind="int",
            ),
            _pitch("cutoff_hz", 2000.0, "corner"),
            _share("resonance", 0.0, "ring at the corner", high=0.95),
            _factor("drive", 1.0, 20.0, 1.0, "how hard it is driven"),
        ),
    ),
    EffectSpec(
        "PeakFilter",
        "lifts or cuts a band",
        pedalboard.PeakFilter,
        (_pitch("cutoff_frequency_hz", 440.0, "middle of the band"), _GAIN, _Q),
    ),
    EffectSpec(
        "LowShelfFilter",
        "lifts or cuts the bass",
        pedalboard.LowShelfFilter,
        (_pitch("cutoff_frequency_hz", 440.0, "corner"), _GAIN, _Q),
    ),
    EffectSpec(
        "HighShelfFilter",
        "lifts or cuts the treble",
        pedalboard.HighShelfFilter,
        (_pitch("cutoff_frequency_hz", 4000.0, "corner"), _GAIN, _Q),
    ),
    EffectSpec(
        "Distortion",
        "soft clipping",
        pedalboard.Distortion,
        (_level("drive_db", 0.0, 60.0, 25.0, "level into the curve"),),
    ),
    EffectSpec(
        "Bitcrush",
        "coarse steps",
        pedalboard.Bitcrush,
        (_factor("bit_depth", 1.0, 24.0, 8.0, "resolution in bits", curve="linear"),),
    ),
    EffectSpec(
        "Clipping",
        "hard clipping",
        pedalboard.Clipping,
        (_level("threshold_db", -60.0, 0.0, -6.0, "level it cuts at"),),
    ),
    EffectSpec(
        "NoiseGate",
        "turns down what is quiet",
        pedalboard.NoiseGate,
        (
            _level("threshold_db", -100.0, 0.0, -100.0, "level below which it works"),
            _factor("ratio", 1.0, 100.0, 10.0, "how fast it closes below the threshold"),
            _ATTACK,
            _RELEASE,
        ),
    ),
)

CATALOGUE: Mapping[str, EffectSpec] = MappingProxyType({spec.name: spec for spec in _ALL})
