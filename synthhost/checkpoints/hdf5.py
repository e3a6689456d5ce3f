"""Reading small arrays out of an HDF5 file, as far as h5py and its relatives write them by default.

That is the file format's first version (The HDF Group, "HDF5 File Format Specification"): a superblock, a
symbol table of named objects, and for each a header that says its shape, its type and where it lies. Anything
newer, chunked, compressed or nested is refused with the way out. The file is parsed here and by nothing else,
so that a stranger's file never reaches a library written for trusted ones.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthhost.core.errors import CheckpointError

MAX_FILE_BYTES = 16 * 1024**2
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MAX_OBJECTS = 64
_MAX_NUMBERS = 1 << 16
_SPACE, _TYPE, _LAYOUT, _CONTINUATION = 1, 3, 8, 16
_FLOAT = 1  # the class of a type


class _NotReadError(Exception):
    """What in a file is not read here."""


def read_arrays(path: Path) -> dict[str, NDArray[np.float64]]:
    """Return the arrays of real numbers that lie at the top of a file, by name.

    Raises:
        CheckpointError: The file cannot be read, is damaged, or keeps them in a form not read here.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_FILE_BYTES else b""
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}). Check the path.") from error
    try:
        if not content.startswith(_SIGNATURE):
            raise _NotReadError("it is no HDF5 file, or larger than statistics need")
        return dict(_arrays(content))
    except (_NotReadError, struct.error, IndexError, ValueError) as error:
        raise CheckpointError(
            f"{path}: is not read here ({error}). Write the same numbers to stats.npy beside it instead: "
            "numpy.save('stats.npy', numpy.stack([mean, scale]))."
        ) from error


def _arrays(content: bytes) -> Iterator[tuple[str, NDArray[np.float64]]]:
    if content[8] != 0 or content[13:15] != b"\x08\x08":
        raise _NotReadError("it is of a newer version of HDF5")
    base, cached, tree, heap = *_numbers(content, 24, "<Q"), *_numbers(content, 72, "<I4xQQ")
    if base or cached != 1:
        raise _NotReadError("its table of names is kept in another way")
    if _slice(content, heap, 4) != b"HEAP":
        raise _NotReadError("its names are damaged")
    (names,) = _numbers(content, heap + 24, "<Q")
    for name, header in _symbols(content, tree):
        begin = names + name
        yield content[begin : content.index(b"\0", begin)].decode("utf-8"), _array(content, header)


def _symbols(content: bytes, tree: int) -> Iterator[tuple[int, int]]:
    """Yield the offset of a name and the address of a header, for every object of the root group."""
    if _slice(content, tree, 4) != b"TREE":
        raise _NotReadError("its table of names is damaged")
    kind, level, leaves = _numbers(content, tree + 4, "<BBH")
    if kind or level or leaves > _MAX_OBJECTS:
        raise _NotReadError("it holds too many objects")
    found = 0
    for leaf in range(leaves):
        (node,) = _numbers(content, tree + 32 + 16 * leaf, "<Q")
        if _slice(content, node, 4) != b"SNOD":
            raise _NotReadError("its table of names is damaged")
        (count,) = _numbers(content, node + 6, "<H")
        found += count
        if found > _MAX_OBJECTS:
            raise _NotReadError("it holds too many objects")
        for place in range(count):
            name, header = _numbers(content, node + 8 + 40 * place, "<QQ")
            yield name, header


def _array(content: bytes, header: int) -> NDArray[np.float64]:
    shape: tuple[int, ...] | None = None
    kind: str | None = None
    where: tuple[int, int] | None = None
    for message, body in _messages(content, header):
        if message == _SPACE:
            shape = _shape(body)
        elif message == _TYPE:
            kind = _type(body)
        elif message == _LAYOUT:
            where = _place(content, body)
    if shape is None or kind is None or where is None:
        raise _NotReadError("it holds groups or empty objects")
    length = int(np.prod(shape)) * np.dtype(kind).itemsize
    begin, stored = where
    if stored != length:
        raise _NotReadError(f"an array of {length} bytes keeps {stored}")
    values = np.frombuffer(_slice(content, begin, length), dtype=kind)
    with np.errstate(invalid="ignore"):  # what is no number stays none
        return values.astype(np.float64).reshape(shape)


def _messages(content: bytes, header: int) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and the body of every message in an object's header."""
    version, count, length = _numbers(content, header, "<BxH4xI")
    if version != 1:
        raise _NotReadError("an object's header is of a newer version")
    blocks = [(header + 16, length)]
    while blocks and count > 0:
        begin, length = blocks.pop(0)
        end = begin + length
        while begin + 8 <= end and count > 0:
            kind, size = _numbers(content, begin, "<HH")
            body = _slice(content, begin + 8, size)
            if kind == _CONTINUATION:
                blocks.append(struct.unpack_from("<QQ", body))
            yield kind, body
            begin += 8 + size
            count -= 1


def _shape(body: bytes) -> tuple[int, ...]:
    version, rank = struct.unpack_from("<BB", body)
    first = {1: 8, 2: 4}.get(version)
    if first is None or rank > 2:
        raise _NotReadError("an array has more than two axes")
    shape = struct.unpack_from(f"<{rank}Q", body, first)
    if any(axis > _MAX_NUMBERS for axis in shape) or np.prod(shape, dtype=float) > _MAX_NUMBERS:
        raise _NotReadError(f"an array has the shape {list(shape)}")
    return shape


def _type(body: bytes) -> str:
    kind, order, size = body[0] & 0x0F, body[1] & 0x41, struct.unpack_from("<I", body, 4)[0]
    if kind != _FLOAT or order & 0x40 or size not in (4, 8):
        raise _NotReadError("an array holds no 32 or 64 bit real numbers")
    return f"{'>' if order else '<'}f{size}"


def _place(content: bytes, body: bytes) -> tuple[int, int]:
    """Return where an array's values lie and how many bytes they are."""
    version, layout = struct.unpack_from("<BB", body)
    if version != 3 or layout != 1:
        raise _NotReadError("an array is kept in pieces or compressed")
    begin, length = struct.unpack_from("<QQ", body, 2)
    return begin, length


def _numbers(content: bytes, begin: int, form: str) -> tuple[int, ...]:
    return struct.unpack(form, _slice(content, begin, struct.calcsize(form)))


def _slice(content: bytes, begin: int, length: int) -> bytes:
    if begin < 0 or begin + length > len(content):
        raise _NotReadError("it is cut short")
    return content[begin : begin + length]
