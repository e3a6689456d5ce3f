"""Names of models out of other text."""

from __future__ import annotations

import re


def slug(text: str) -> str:
    """Return text as a model name: lower-case letters, digits and single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:64].strip("-") or "model"
