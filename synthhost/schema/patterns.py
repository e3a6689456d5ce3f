"""Kinds of text a document may hold, each as a pattern and in words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SLUG_PATTERN: Final = r"^[a-z0-9]+(-[a-z0-9]+)*$"
SHA256_PATTERN: Final = r"^[0-9a-f]{64}$"
LINE_PATTERN: Final = r"^[^\p{Cc}\u2028\u2029]*$"  # no control letters, which a terminal would obey
TEXT_PATTERN: Final = r"^[^\p{Cc}\u2028\u2029]*(\n[^\p{Cc}\u2028\u2029]*)*$"

IN_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        SLUG_PATTERN: "lower-case letters, digits and single hyphens, such as 'slow-choir'",
        SHA256_PATTERN: "64 hexadecimal digits in lower case",
        LINE_PATTERN: "one line of text without control letters",
        TEXT_PATTERN: "text without control letters",
    }
)
