"""A model folder: `manifest.yaml`, `weights.safetensors` and, once measured, `certificate.yaml`.

A model that is a TorchScript program has `model.ts` in place of the weights.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from synthhost.checkpoints.layout import ReadModel, check_tensors
from synthhost.checkpoints.model_folder import (
    CERTIFICATE_NAME,
    MANIFEST_NAME,
    WEIGHTS_NAME,
    Origin,
)
from synthhost.checkpoints.programs import Allowed, nothing
from synthhost.checkpoints.reading import file_sha256, first_line, read_safetensors
from synthhost.checkpoints.torchscript import PROGRAM_NAME, load_script
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.families.family import Hyper
from synthhost.families.registry import family
from synthhost.families.script_interface import Script
from synthhost.families.torchscript import ScriptHyper
from synthhost.schema.manifest import Certificate, Manifest, mel_entry
from synthhost.schema.reading import read_text
from synthhost.schema.sentences import unknown_name
from synthhost.schema.strict_yaml import dump_yaml


@dataclass(frozen=True, slots=True)
class Package:
    """A model read and checked: what it is and its weights by tensor name.

    Attributes:
        program: What a model that is a program is played with; it has no tensors.
    """

    manifest: Manifest
    tensors: Mapping[str, Tensor]
    certificate: Certificate | None = None
    program: Script | None = None


def read_manifest(folder: Path) -> Manifest:
    """Return what a model folder says of itself.

    Raises:
        ConfigError: If the manifest cannot be read or says something that cannot be a model.
    """
    path = folder / MANIFEST_NAME
    return Manifest.from_yaml(read_text(path), str(path))


def read_certificate(folder: Path) -> Certificate | None:
    """Return the certificate measured for the model in a folder, or None if there is none.

    Raises:
        ConfigError: If there is one that cannot be read.
    """
    path = folder / CERTIFICATE_NAME
    return Certificate.from_yaml(read_text(path), str(path)) if path.is_file() else None


def load_package(folder: Path, allowed: Allowed = nothing) -> Package:
    """Read a model folder; the weights must be the very ones the manifest names.

    Args:
        folder: Of the model.
        allowed: Says of a model that is a TorchScript program whether it may run.

    Raises:
        ConfigError: If the manifest or certificate cannot be read.
        CheckpointError: If the weights are missing, changed or do not fit the manifest, or are a program that
            was not allowed.
    """
    manifest = read_manifest(folder)
    kind = family(manifest.family)
    try:
        hyper = kind.hyper_from_json(manifest.hyper)
    except ConfigError as error:
        raise ConfigError(f"{folder / MANIFEST_NAME}: hyper: {error}") from error
    _check_numbers(folder / MANIFEST_NAME, manifest, hyper)
    tensors, program = {}, None
    if isinstance(hyper, ScriptHyper):
        program = load_script(folder, manifest.sha256, hyper, allowed)
    else:
        tensors = _read_weights(folder / WEIGHTS_NAME, manifest)
        check_tensors(str(folder / WEIGHTS_NAME), tensors, kind.tensor_names(hyper))
    certificate = read_certificate(folder)
    stale = certificate is not None and certificate.sha256 != manifest.sound_sha256
    return Package(manifest, tensors, None if stale else certificate, program)


def _read_weights(path: Path, manifest: Manifest) -> dict[str, Tensor]:
    tensors = read_safetensors(path)
    found = file_sha256(path)
    if found != manifest.sha256:
        raise CheckpointError(
            f"{path}: sha256 {found[:12]}… is not the manifest's {manifest.sha256[:12]}…: the weights were "
            "changed or damaged. Import or pull the model again."
        )
    return tensors


def _check_numbers(path: Path, manifest: Manifest, hyper: Hyper) -> None:
    """Refuse numbers in the manifest that say something else than the network's own."""
    known = hyper.as_json()
    unknown = [unknown_name(key, known) for key in manifest.hyper if key not in known]
    if unknown:
        raise ConfigError(f"{path}: hyper: {' '.join(unknown)}")
    bands = hyper.bands if manifest.mel is None else manifest.mel.bands
    if (hyper.hop_samples, hyper.bands) != (manifest.hop_samples, bands):
        raise ConfigError(
            f"{path}: {bands} bands and {manifest.hop_samples} samples a frame, but the network "
            f"takes {hyper.bands} bands and makes {hyper.hop_samples} samples. Import the model again."
        )
    for place, rate in _rates(known):
        if rate != manifest.sample_rate:
            raise ConfigError(
                f"{path}: sample_rate {manifest.sample_rate}, but hyper.{place} is {rate}. Let both say the "
                "rate at which the model was trained."
            )
    meant = family(manifest.family).frames(hyper)
    told = manifest.mel_spec()
    if meant is not None and told != meant:
        apart = [
            f"{one.name} {getattr(told, one.name, None)} against {getattr(meant, one.name)}"
            for one in fields(meant)
            if getattr(told, one.name, None) != getattr(meant, one.name)
        ]
        raise ConfigError(
            f"{path}: mel: is not what the network's sound is fitted to: {', '.join(apart)}. Let mel and "
            "hyper.fit say the same, as they did when the model was trained."
        )


def _rates(plain: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, int]]:
    """Yield every sample rate among a network's numbers, with its place."""
    for key, value in plain.items():
        if key == "sample_rate":
            yield f"{place}{key}", value
        elif isinstance(value, Mapping):
            yield from _rates(value, f"{place}{key}.")


def manifest_for(model: ReadModel, origin: Origin, sha256: str) -> Manifest:
    """Return the manifest of a model read from a public layout, `sha256` being that of its weights file."""
    hop_samples = family(model.family).hyper_from_json(model.hyper).hop_samples
    return Manifest.from_json(
        {
            "synthhost": "model/1",
            "name": origin.name,
            "about": " ".join(filter(None, (origin.about, model.about))),
            "family": model.family,
            "hyper": model.hyper,
            "sample_rate": model.sample_rate if model.mel is None else model.mel.sample_rate,
            "hop_samples": hop_samples if model.mel is None else model.mel.hop_samples,
            "mel": None if model.mel is None else mel_entry(model.mel).model_dump(),
            "licence": origin.licence,
            "source": origin.source,
            "sha256": sha256,
        },
        origin.name,
    )


def save_package(model: ReadModel, origin: Origin, folder: Path) -> Path:
    """Write a model folder, whole or not at all, and return it.

    Raises:
        CheckpointError: If there is already something of that name, or it cannot be written.
    """
    if folder.exists():
        raise CheckpointError(f"{folder}: is already there. Choose another name or remove it first.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder.parent) as scratch:
            made = Path(scratch) / folder.name
            made.mkdir()
            _write(model, origin, made)
            _move_into_place(made, folder)
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or first_line(error)
        raise CheckpointError(f"{folder}: cannot be written ({why}). Check space and rights.") from error
    return folder


def save_certificate(certificate: Certificate, folder: Path) -> Path:
    """Put a certificate beside the model it was measured for and return its path.

    Raises:
        ConfigError: If the folder cannot be written.
    """
    path = folder / CERTIFICATE_NAME
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        partial.write_text(dump_yaml(certificate.as_json()), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written ({error.strerror}). Copy the model into your own library."
        ) from error
    return path


def _write(model: ReadModel, origin: Origin, folder: Path) -> None:
    weights = folder / (WEIGHTS_NAME if model.program is None else PROGRAM_NAME)
    if model.program is None:
        save_file(dict(model.tensors), weights)
    else:
        weights.write_bytes(model.program)
    manifest = manifest_for(model, origin, file_sha256(weights))
    (folder / MANIFEST_NAME).write_text(dump_yaml(manifest.as_json()), encoding="utf-8")


def _move_into_place(made: Path, folder: Path) -> None:
    """Rename; whoever comes second finds the first one's folder there and is told so."""
    try:
        made.rename(folder)
    except OSError as error:
        shutil.rmtree(made, ignore_errors=True)
        if folder.exists():
            raise CheckpointError(f"{folder}: was written by someone else just now. Use that one.") from error
        raise
