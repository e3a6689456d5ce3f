"""Reading a stranger's tensors: nothing in the file is ever run, and what it may cost is bounded first."""

from __future__ import annotations

import hashlib
import re
import shlex
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from synthhost.core.errors import CheckpointError

MAX_FILE_BYTES = 2 * 1024**3
MAX_INFLATION = 200  # a zip's content over the file's size; sparse weights deflate some 30 times
MAX_TENSORS = 100_000

ZIP_MAGIC = b"PK\x03\x04"
_LEGACY_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa85019")  # torch's magic number, pickled with protocol 2
_PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_RESAVE = "Re-save it where it was made with torch.save(model.state_dict(), FILE) or as safetensors."
_WHOLE_MODELS = MappingProxyType(  # trainers that save the object itself, and where its weights are
    {
        "wavenet_model.WaveNetModel": "torch.load(FILE, weights_only=False).state_dict()",
        "wavenet.WaveNet": "torch.load(FILE, weights_only=False)['model'].state_dict()",
    }
)


def read_checkpoint(path: Path) -> Any:
    """Return what a torch or safetensors file holds: mappings, numbers, text and tensors on the CPU.

    Raises:
        CheckpointError: If the file is missing, of another format, damaged, larger than it should be, or
            holds anything that would have to be run to be read.
    """
    size = file_bytes(path)
    with path.open("rb") as file:
        start = file.read(len(_LEGACY_MAGIC))
    if start[:4] == ZIP_MAGIC:
        _check_zip(path, size)
        content = _load_torch(path)
    elif start == _LEGACY_MAGIC:
        content = _load_torch(path)
    elif path.suffix == ".safetensors" or start[8:9] == b"{":
        content = read_safetensors(path)
    else:
        raise CheckpointError(f"{path}: {_what_instead(start)}")
    _check_tensors(path, content)
    return content


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name.

    Raises:
        CheckpointError: If the file is missing, too large or damaged.
    """
    file_bytes(path)
    try:
        return dict(load_file(path))
    except Exception as error:
        why = first_line(error)
        raise CheckpointError(f"{path}: not a complete safetensors file ({why}). Fetch it again.") from error


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_bytes(path: Path) -> int:
    """Return the size of a file that can be read: there, no folder, not empty, not too large.

    Raises:
        CheckpointError: It is none of that.
    """
    if path.is_dir():
        raise CheckpointError(f"{path}: is a folder, not a checkpoint file. Name the file inside it.")
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file. Check the path.")
    size = path.stat().st_size
    if size == 0:
        raise CheckpointError(f"{path}: the file is empty. Fetch it again.")
    if size > MAX_FILE_BYTES:
        raise CheckpointError(
            f"{path}: {size / 1e9:.1f} GB; checkpoints up to {MAX_FILE_BYTES / 1e9:.1f} GB are read. "
            "Save the generator's weights alone."
        )
    return size


def zip_names(path: Path, archive: Path | IO[bytes], size: int) -> set[str]:
    """Return the names of what a zip holds, without folders; nothing is unpacked.

    Args:
        path: What messages call the file.
        archive: The file, or its content.
        size: Of the file, in bytes.

    Raises:
        CheckpointError: It is damaged, or would unpack to more than a checkpoint needs.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = opened.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise CheckpointError(
            f"{path}: damaged or cut short ({first_line(error)}). Fetch it again."
        ) from error
    content = sum(entry.file_size for entry in entries)
    if content > MAX_FILE_BYTES or content > MAX_INFLATION * size or len(entries) > 2 * MAX_TENSORS:
        raise CheckpointError(
            f"{path}: {size} bytes would unpack to {content} in {len(entries)} parts, more than a checkpoint "
            "needs; it was not opened. Fetch it from its author."
        )
    return {entry.filename.rpartition("/")[2] for entry in entries}


def holds_program(names: set[str]) -> bool:
    """Tell whether a zip with these names is a TorchScript program."""
    return "constants.pkl" in names


def program_refused(path: Path) -> str:
    """Say of a program that it was not run and how it may be."""
    return (
        f"{path}: is a TorchScript program, not weights alone; it was not run. A program can do whatever you "
        f"can do. If you trust who made it, allow this very file: synthhost import {shlex.quote(str(path))} "
        "--allow-code (in Python: load_model(FILE, allow_code=True))."
    )


def _check_zip(path: Path, size: int) -> None:
    names = zip_names(path, path, size)
    _check_sums(path)
    if holds_program(names):
        raise CheckpointError(program_refused(path))
    if "data.pkl" not in names:
        raise CheckpointError(f"{path}: is a zip, but not one torch.save writes. Name the file inside it.")


def _check_sums(path: Path) -> None:
    """Refuse a zip whose parts are not what was put in: torch itself does not look."""
    try:
        with zipfile.ZipFile(path) as opened:
            damaged = opened.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise CheckpointError(
            f"{path}: damaged or cut short ({first_line(error)}). Fetch it again."
        ) from error
    if damaged is not None:
        raise CheckpointError(f"{path}: damaged: its part {damaged!r} fails its checksum. Fetch it again.")


def _load_torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError as error:
        raise CheckpointError(f"{path}: needs more memory than there is. Nothing was loaded.") from error
    except Exception as error:
        raise CheckpointError(f"{path}: {_load_failure(error)}") from error


def _load_failure(error: Exception) -> str:
    """Say why torch refused a file; its own text advises to switch the safety off."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    if found:
        weights = _WHOLE_MODELS.get(found[1])
        resave = f"Where it was made, run torch.save({weights}, NEW) and import NEW." if weights else _RESAVE
        return f"holds {found[1]}, which would run code when loaded; nothing was run. {resave}"
    if "Unsupported" in str(error):
        return f"holds more than weights and was not loaded; nothing was run. {_RESAVE}"
    return f"damaged or cut short ({first_line(error)}). Fetch it again."


def _what_instead(start: bytes) -> str:
    if start[:2] in _PICKLE_STARTS:
        return f"is a plain Python pickle, which can run code when loaded; it was not opened. {_RESAVE}"
    if start.isascii() and start.decode().isprintable():
        return "is a text file, not a checkpoint. Name the file with the weights."
    return "is not a torch or safetensors file. Name the file with the weights."


def _check_tensors(path: Path, content: Any) -> None:
    """Refuse tensors that claim more numbers than the file brought."""
    tensors = list(_tensors_in(content))
    if len(tensors) > MAX_TENSORS:
        raise CheckpointError(f"{path}: holds {len(tensors)} tensors, more than any known model.")
    for tensor in tensors:
        plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
        if not plain or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise CheckpointError(
                f"{path}: a tensor of shape {list(tensor.shape)} is not stored in full. {_RESAVE}"
            )


def _tensors_in(content: Any) -> list[Tensor]:
    """Return the tensors in nested mappings and lists, each object visited once."""
    found: list[Tensor] = []
    seen: set[int] = set()
    waiting = [content]
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Tensor):
            found.append(item)
        elif isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple | set):
            waiting.extend(item)
    return found


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, without its full stop."""
    lines = str(error).strip().splitlines()
    return lines[0][:120].rstrip(". ") if lines else type(error).__name__
