"""Importer of TorchScript models with the interface nn~ reads, RAVE's among them, and their model folders.

A folder of one holds `model.ts` in place of `weights.safetensors`. It is loaded only where its bytes are the
manifest's and the user allowed them.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from synthhost.checkpoints.layout import ReadModel
from synthhost.checkpoints.programs import Allowed, Program, load_module, read_program
from synthhost.core.errors import CheckpointError
from synthhost.families.script_interface import Script, loaded_script, measured_reach, read_interface
from synthhost.families.torchscript import ScriptHyper

PROGRAM_NAME = "model.ts"
LAYOUT_NAME = "TorchScript for nn~"

_LOWEST_RATE, _HIGHEST_RATE = 1000, 384_000


def read_script(
    program: Program, allowed: Allowed, sample_rate: int | None = None
) -> tuple[ReadModel, Script]:
    """Return what a TorchScript file is, found out by running it, and the module ready to play.

    Args:
        program: As read.
        allowed: Says whether it may run.
        sample_rate: In Hz, for modules that do not say theirs.

    Raises:
        CheckpointError: It was not allowed and did not run, or cannot be played.
    """
    place = str(program.path)
    module = load_module(program, allowed)
    interface = read_interface(module, place)
    rate = _rate(place, interface.sample_rate, sample_rate)
    script = loaded_script(module, interface.hyper, place)
    script.receptive_frames = measured_reach(script, place)
    hyper = replace(interface.hyper, receptive_frames=script.receptive_frames)
    about = _assumed(script, hyper, rate_given=interface.sample_rate is None)
    return ReadModel(
        LAYOUT_NAME, "torchscript", hyper.as_json(), None, {}, rate, program.content, about
    ), script


def load_script(folder: Path, sha256: str, hyper: ScriptHyper, allowed: Allowed) -> Script:
    """Return the module of a model folder, ready to play.

    Args:
        folder: Of the model.
        sha256: As its manifest says.
        hyper: As its manifest says.
        allowed: Says whether it may run.

    Raises:
        CheckpointError: The file is missing or changed, was not allowed, or is not what the manifest says.
    """
    program = read_program(folder / PROGRAM_NAME)
    if program.sha256 != sha256:
        raise CheckpointError(
            f"{program.path}: sha256 {program.sha256[:12]}… is not the manifest's {sha256[:12]}…: the "
            "program was changed or damaged and was not run. Import the model again."
        )
    refusal = (
        f"{folder}: this model is a TorchScript program that you did not allow to run; it was not run. A "
        "program can do whatever you can do. If you trust who made it, allow these very bytes: synthhost "
        f"models trust {shlex.quote(str(folder))} (in Python: load_model(MODEL, allow_code=True))."
    )
    return loaded_script(load_module(program, allowed, refusal), hyper, str(program.path))


def _assumed(script: Script, hyper: ScriptHyper, *, rate_given: bool) -> str:
    """Say what no file tells of a program, or what is done to its sound."""
    said = [
        "A program of its author's: look-ahead is not derived, and its sound is what it gives step by step."
    ]
    if rate_given:
        said.append("The sample rate was given at the import.")
    if hyper.controls:
        said.append("Ranges of its attributes are guesses; edit them under hyper: controls.")
    if hyper.channels > 1:
        said.append(f"Its {hyper.channels} channels are averaged to one.")
    if script.draws:
        said.append("It may draw by chance: its sound then depends on how many frames a step takes.")
    return " ".join(said)


def _rate(place: str, said: int | None, given: int | None) -> int:
    """Return the rate a module says, or the one that was given."""
    if said is not None and given is not None and said != given:
        raise CheckpointError(
            f"{place}: the model itself says {said} Hz, not {given}. Leave --sample-rate out."
        )
    rate = said or given
    if rate is None:
        raise CheckpointError(
            f"{place}: the model does not say its sample rate. Import it and say it: synthhost import "
            f"{place} --allow-code --sample-rate 44100 (or whatever it was trained at)."
        )
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise CheckpointError(
            f"{place}: {rate} Hz; rates from {_LOWEST_RATE} to {_HIGHEST_RATE} Hz are played."
        )
    return rate
