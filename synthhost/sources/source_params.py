"""What can be played on the sources, as parameters."""

from __future__ import annotations

from synthhost.core.params import ParamSpec

COLOUR_PARAMS: tuple[ParamSpec, ...] = (
    ParamSpec(
        "pitch", "semitones", -24.0, 24.0, 0.0,
        "Transposes everything by warping the mel axis; speed stays.",
        smoothing_ms=40.0,
    ),
    ParamSpec(
        "formant", "semitones", -24.0, 24.0, 0.0,
        "Moves the spectral envelope alone: the size of the throat or body; pitch stays.",
        smoothing_ms=40.0,
    ),
    ParamSpec(
        "brightness", "dB/octave", -12.0, 12.0, 0.0,
        "Tilts the spectrum around 1 kHz.",
        smoothing_ms=40.0,
    ),
    ParamSpec(
        "level", "dB", -60.0, 12.0, 0.0,
        "How loud the frames ask the model to be.",
        smoothing_ms=30.0,
    ),
)  # fmt: skip
"""What can be done to any mel frames on their way to the model."""

TAPE_PARAMS: tuple[ParamSpec, ...] = (
    ParamSpec(
        "position", "tape", 0.0, 1.0, 0.0,
        "Where on the tape to read, start to end; moving it moves the playhead, which runs on from there.",
        smoothing_ms=0.0,
    ),
    ParamSpec(
        "speed", "x", -4.0, 4.0, 1.0,
        "How fast the playhead runs: 1 as recorded, 0 frozen but alive, below 0 backwards. Pitch stays.",
        smoothing_ms=60.0,
    ),
    ParamSpec(
        "freeze", "", 0.0, 1.0, 0.0,
        "1 holds the playhead where it is, alive; 0 lets it run on at its speed.",
        smoothing_ms=60.0, kind="bool",
    ),
    ParamSpec(
        "wander", "s", 0.0, 2.0, 0.0,
        "How far the reading strays from the playhead, slowly and at random.",
        smoothing_ms=200.0,
    ),
    ParamSpec(
        "loop_start", "tape", 0.0, 1.0, 0.0,
        "Where the loop begins; if it lies after the loop's end, the two change places.",
        smoothing_ms=0.0,
    ),
    ParamSpec(
        "loop_end", "tape", 0.0, 1.0, 1.0,
        "Where the loop ends and wraps round. The shortest loop is about 90 ms.",
        smoothing_ms=0.0,
    ),
    ParamSpec(
        "blend", "mix", 0.0, 1.0, 0.0,
        "From tape A to tape B, both read at the same place relative to their length.",
        smoothing_ms=60.0,
    ),
    ParamSpec(
        "motion", "amount", 0.0, 1.0, 0.0,
        "Slow random swell and sway: up to 3 dB and 0.1 s either way.",
        smoothing_ms=200.0,
    ),
    *COLOUR_PARAMS,
)  # fmt: skip
"""Every parameter of a tape source, in the order of the address table."""

FRAME_PARAMS: tuple[ParamSpec, ...] = (
    ParamSpec(
        "depth", "frames", 0.0, 64.0, 2.0,
        "How many frames to gather before starting, and again after running dry: safety against delay.",
        smoothing_ms=0.0, kind="int",
    ),
    *COLOUR_PARAMS,
)  # fmt: skip
"""Every parameter of a source that takes frames from outside."""
