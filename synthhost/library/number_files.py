"""Options that name a file of numbers, such as a noise schedule: read safely and written out as a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from synthhost.checkpoints.reading import read_checkpoint
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.core.options import OptionSpec, OptionValue

MAX_FILE_BYTES = 1_000_000
MAX_NUMBERS = 10_000

_ENDINGS = (".npy", ".pt")


def names_numbers(text: str) -> bool:
    """Tell whether an option's text is the name of a file, by its ending."""
    return text.endswith(_ENDINGS)


def with_files_read(
    specs: Sequence[OptionSpec], options: Mapping[str, OptionValue]
) -> dict[str, OptionValue]:
    """Return options in which a file's name has given way to its numbers, with commas between them.

    Raises:
        ConfigError: The file cannot be read, or holds anything but a list of numbers.
    """
    read = dict(options)
    for spec in specs:
        text = options[spec.name]
        if spec.file_of_numbers and isinstance(text, str) and names_numbers(text):
            read[spec.name] = ",".join(repr(number) for number in numbers_in(Path(text), spec.name))
    return read


def numbers_in(path: Path, option: str) -> list[float]:
    """Return the numbers of a `.npy` file, or of a `.pt` file that holds a tensor or a list.

    Nothing in the file is ever run, and it is read only if it is an ordinary, small one.

    Args:
        path: Relative paths begin where the program was started.
        option: What messages call it.

    Raises:
        ConfigError: The file cannot be read, or holds anything but a list of numbers.
    """
    path = path.expanduser()
    place = f"{option}: {path}"
    if not path.is_file():
        raise ConfigError(f"{place}: there is no such file. Check the path; it begins at {Path.cwd()}.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ConfigError(f"{place}: {path.stat().st_size} bytes are too many for a list of numbers.")
    numbers = _array(path, place) if path.suffix == ".npy" else _content(path, place)
    if not 1 <= len(numbers) <= MAX_NUMBERS:
        raise ConfigError(f"{place}: holds {len(numbers)} numbers; a list of 1 to {MAX_NUMBERS} is needed.")
    return numbers


def _array(path: Path, place: str) -> list[float]:
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)  # a header asks for no more than is there
    except (OSError, ValueError, EOFError, OverflowError, MemoryError) as error:
        raise ConfigError(f"{place}: is no array of numbers as numpy.save writes one.") from error
    return _plain(values, place)


def _content(path: Path, place: str) -> list[float]:
    try:
        content = read_checkpoint(path)
    except CheckpointError as error:
        raise ConfigError(f"{place.partition(':')[0]}: {error}") from error
    if isinstance(content, list | tuple):  # of numbers, or of tensors of one number each
        content = [_number(one) for one in content]
    return _plain(content.tolist() if isinstance(content, torch.Tensor) else content, place)


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, torch.Tensor) and value.numel() == 1 else value


def _plain(values: Any, place: str) -> list[float]:
    try:
        array = np.asarray(values)
    except ValueError:  # lists of different lengths
        array = np.empty(0, dtype=object)
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise ConfigError(f"{place}: holds something else than one list of numbers.")
    return [float(value) for value in array]
