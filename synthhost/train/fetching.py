"""Fetches material by package name, from Debian or npm, into a cache; nothing of a package is run."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from synthhost.core.errors import DownloadError

_LIMIT_S = 1800.0


def debian_package(name: str, cache: Path) -> Path:
    """Return the folder a Debian package's files lie in, fetched with apt where they are not there yet.

    Raises:
        DownloadError: There is no apt, or it failed.
    """

    def fetch(scratch: Path, folder: Path) -> None:
        _run(["apt-get", "download", "-q", name], scratch, name)
        archives = sorted(scratch.glob("*.deb"))
        if not archives:
            raise DownloadError(f"{name}: apt fetched nothing. Run apt-get update and try again.")
        _run(["dpkg-deb", "-x", str(archives[0]), str(folder)], scratch, name)

    return _cached(cache / "debian" / name, fetch)


def npm_package(name: str, version: str, cache: Path) -> Path:
    """Return the folder an npm package's files lie in, fetched with npm where they are not there yet.

    Raises:
        DownloadError: There is no npm, or it failed, or the package reaches out of its folder.
    """

    def fetch(scratch: Path, folder: Path) -> None:
        _run(["npm", "pack", "--silent", "--ignore-scripts", f"{name}@{version}"], scratch, name)
        archives = sorted(scratch.glob("*.tgz"))
        if not archives:
            raise DownloadError(f"{name}: npm fetched nothing. Is there a network?")
        try:
            with tarfile.open(archives[0]) as archive:
                archive.extractall(folder, filter="data")
        except (OSError, tarfile.TarError) as error:
            raise DownloadError(f"{name}: what npm fetched cannot be unpacked ({error}).") from error

    return _cached(cache / "npm" / f"{name.replace('@', '').replace('/', '-')}-{version}", fetch)


def _cached(folder: Path, fetch: Callable[[Path, Path], None]) -> Path:
    """Fill a folder whole or not at all, once."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder.parent) as made:
        scratch, filled = Path(made) / "fetched", Path(made) / "filled"
        scratch.mkdir()
        filled.mkdir()
        fetch(scratch, filled)
        if not folder.exists():
            filled.rename(folder)
    return folder


def _run(command: Sequence[str], folder: Path, package: str) -> None:
    program = shutil.which(command[0])
    if program is None:
        raise DownloadError(f"{package}: {command[0]} is needed to fetch it and is not on this machine.")
    try:
        subprocess.run(
            [program, *command[1:]],
            cwd=folder,
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
        )
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or "no reason").strip().splitlines()
        raise DownloadError(f"{package}: {command[0]} could not fetch it: {said[-1][:200]}") from error
    except subprocess.TimeoutExpired as error:
        raise DownloadError(
            f"{package}: {command[0]} took more than {_LIMIT_S / 60.0:.0f} minutes."
        ) from error
