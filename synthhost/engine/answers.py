"""What a command is called in an answer, and whether its numbers can be played."""

from __future__ import annotations

import math
from types import MappingProxyType

import numpy as np

from synthhost.core.messages import (
    MASTER,
    Command,
    CommitCue,
    CuePreset,
    DropCue,
    LoadPreset,
    LoadTape,
    NoteOff,
    Panic,
    PushMel,
    SetOption,
    SetParam,
    StartRecording,
    StopRecording,
    Sync,
    TakeRung,
    Trigger,
)

_ON_A_TRACK = MappingProxyType(
    {
        PushMel: "mel",
        Trigger: "trigger",
        NoteOff: "note/off",
        LoadTape: "tape/load",
        LoadPreset: "preset",
        CuePreset: "cue",
        CommitCue: "cue",
        DropCue: "cue",
        TakeRung: "rung",
    }
)
_ELSEWHERE = MappingProxyType(
    {Panic: "/panic", StartRecording: "/record/start", StopRecording: "/record/stop", Sync: "/sync"}
)


def address_of(command: Command) -> str:
    """Return the address a command came from, or "" for one that comes from nobody. [render thread]"""
    if isinstance(command, SetParam):
        if command.track == MASTER:
            return f"/master/{command.param}"
        return f"/track/{command.track}/param/{command.param}"
    if isinstance(command, SetOption):
        return f"/track/{command.track}/model/{command.option}"
    verb = _ON_A_TRACK.get(type(command))
    if verb is not None:
        return f"/track/{getattr(command, 'track', '')}/{verb}"
    return _ELSEWHERE.get(type(command), "")


def is_finite(command: Command) -> bool:
    """Whether all numbers of a command can be played. [render thread]"""
    if isinstance(command, SetParam):
        return math.isfinite(command.value)
    if isinstance(command, Trigger):
        return all(map(math.isfinite, (command.velocity, command.key or 0.0, *(command.latent or ()))))
    if isinstance(command, NoteOff):
        return math.isfinite(command.key)
    if isinstance(command, LoadPreset | CommitCue | SetOption | TakeRung):
        return math.isfinite(command.crossfade_ms)
    return not isinstance(command, PushMel) or bool(np.isfinite(command.frames).all())
