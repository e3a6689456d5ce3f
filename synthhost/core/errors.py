"""One tree of errors; every message says what is wrong, where, and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SynthhostError(Exception):
    """Anything synthhost tells a person about."""


class ConfigError(SynthhostError):
    """A set, preset, manifest or option does not say something that can be played."""


class CheckpointError(SynthhostError):
    """A checkpoint cannot be read safely and completely."""


class ModelNotFoundError(SynthhostError):
    """No model goes by that name or path."""


class ModelError(SynthhostError):
    """A model that is a program of its own failed, or refused a value, while it was asked to play."""


class DownloadError(SynthhostError):
    """A model could not be fetched or is not what was expected."""


class TrainingError(SynthhostError):
    """A training cannot begin or go on."""


class FeatureError(SynthhostError):
    """Features have the wrong shape, rate or values."""


class SourceError(SynthhostError):
    """A sound file or another source of features cannot be used."""


class DeviceError(SynthhostError):
    """An audio device is missing, busy or gone."""


class OscError(SynthhostError):
    """An OSC packet or a request in it cannot be understood."""


class RecordingError(SynthhostError):
    """Stems or the journal cannot be written or read."""


class ProcessError(SynthhostError):
    """One of the host's processes could not be started or has died."""


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest known name, or an empty string."""
    near = difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""
