"""Loading and importing models by a name or a path, and which programs may run."""

from __future__ import annotations

import os
import re
from pathlib import Path

from synthhost.checkpoints.bundle_index import INDEX_SUFFIX, bundle_index
from synthhost.checkpoints.model_folder import UNKNOWN_LICENCE, Origin, is_package
from synthhost.checkpoints.names import slug
from synthhost.checkpoints.package import Package, load_package, manifest_for, save_package
from synthhost.checkpoints.programs import Allowed, Program, TrustList, is_program, read_program
from synthhost.checkpoints.reading import file_sha256
from synthhost.checkpoints.torchscript import PROGRAM_NAME, read_script
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.core.options import without_options
from synthhost.library.finding import find_model, home, shelves, user_models
from synthhost.library.model import Model, model_from
from synthhost.schema.manifest import Manifest
from synthhost.schema.patterns import SLUG_PATTERN


def load_model(
    name_or_path: str | Path,
    *,
    allow_code: bool = False,
    backend: str | None = None,
    device: str | None = None,
) -> Model:
    """Load a model by name, by the path of its folder, or straight from a published checkpoint file.

    A name or path may be followed by options of the model, such as `name?steps=6`, back end and device too.
    `Model.computed` tells which back end was taken, and why.

    A TorchScript model (RAVE and others exported for nn~) is a program that can do whatever you can do. It is
    refused, and nothing of it runs, unless you allowed these very bytes with `synthhost import FILE
    --allow-code` or `synthhost models trust MODEL`, or say so here.

    Args:
        name_or_path: What to load.
        allow_code: Let a TorchScript program run this once; nothing is remembered.
        backend: "native" or "torch", which is met or refused; "auto" takes native where it can be had.
        device: "cpu", or "cuda" or "cuda:N" for a GPU.

    Raises:
        ModelNotFoundError: If there is none; the message names the nearest one.
        CheckpointError: If its weights cannot be read safely and completely, or are a program not allowed.
        ConfigError: If its manifest cannot be read, or the back end or device cannot be had.
    """
    name, options = without_options(os.fspath(name_or_path))
    options |= {key: value for key, value in (("backend", backend), ("device", device)) if value is not None}
    return model_from(load_found(find_model(name), allow_code=allow_code), options)


def load_found(path: Path, *, allow_code: bool = False) -> Package:
    """Read a model folder, or a published checkpoint file as if it had been imported.

    Args:
        path: Of the folder or file.
        allow_code: Let a TorchScript program run though it is not on the user's list.

    Raises:
        CheckpointError: If weights cannot be read, or are a program not allowed.
        ConfigError: If a manifest cannot be read.
    """
    if path.is_dir():
        return load_package(path, _allowed(allow_code))
    if is_program(path):
        program = read_program(path)
        read, script = read_script(program, _allowed(allow_code))
        return Package(manifest_for(read, _origin(path, None), program.sha256), {}, None, script)
    from synthhost.checkpoints.importing import read_model  # every layout that was ever published

    model = read_model(path)
    return Package(manifest_for(model, _origin(path, None), file_sha256(path)), model.tensors)


def import_model(
    path: Path,
    config: Path | None = None,
    name: str | None = None,
    *,
    allow_code: bool = False,
    sample_rate: int | None = None,
) -> Path:
    """Import a published checkpoint into the user's library and return the new model folder.

    Args:
        path: The checkpoint file; of a TensorFlow checkpoint its index, prefix or folder.
        config: Its configuration, where it does not lie beside it.
        name: What to call the model; made from the file's and folder's names if not given.
        allow_code: Where the file is a TorchScript program: let it run, now and whenever the model is loaded.
        sample_rate: In Hz, of a model whose files do not say it: TorchScript programs, networks that run by
            themselves.

    Raises:
        CheckpointError: If the checkpoint cannot be imported, is a program not allowed, or the name is taken.
        ConfigError: If the name is no name for a model.
    """
    path = bundle_index(path) or path
    origin = _origin(path, name)
    for shelf in shelves():
        if is_package(shelf.folder / origin.name):
            raise ConfigError(
                f"a model named {origin.name!r} is already there ({shelf.folder / origin.name}). "
                "Choose another with --name."
            )
    if not is_program(path):
        from synthhost.checkpoints.importing import import_checkpoint

        return import_checkpoint(path, user_models(), origin, config, sample_rate)
    program = read_program(path)
    read, _ = read_script(program, _allowed(allow_code), sample_rate)
    folder = save_package(read, origin, user_models() / origin.name)
    trusted_programs().add(program.sha256, origin.name)
    return folder


def trust_model(name_or_path: str | Path) -> Program:
    """Allow the TorchScript program of a model to run for this user from now on, and return it, not run.

    Raises:
        ModelNotFoundError: If there is no such model.
        CheckpointError: If it is no program, or damaged.
        ConfigError: If the list of allowed programs cannot be written.
    """
    found = find_model(name_or_path)
    if found.is_dir() and not (found / PROGRAM_NAME).is_file():
        raise CheckpointError(f"{found}: holds no program, only weights; there is nothing to allow.")
    program = read_program(found / PROGRAM_NAME if found.is_dir() else found)
    trusted_programs().add(program.sha256, found.name)
    return program


def is_trusted(manifest: Manifest) -> bool:
    """Tell whether the user allowed the program a manifest names to run."""
    return trusted_programs().holds(manifest.sha256)


def trusted_programs() -> TrustList:
    """Return the list of programs the user allowed to run."""
    return TrustList(home() / "trusted.txt")


def _allowed(allow_code: bool) -> Allowed:
    return (lambda _: True) if allow_code else trusted_programs().holds


def _origin(path: Path, name: str | None) -> Origin:
    if name is not None and (not re.fullmatch(SLUG_PATTERN, name) or len(name) > 64):
        raise ConfigError(
            f"{name[:80]!r} cannot name a model: use lower-case letters, digits and hyphens, "
            f"such as {slug(name)!r}."
        )
    stem = path.stem if path.suffix == INDEX_SUFFIX else path.name.partition(".")[0]
    return Origin(name or slug(stem), UNKNOWN_LICENCE, f"imported from the file {path.name}")
