"""One-shot drums by kind: CC0 recordings of Sonic Pi, and the kits of the general soundfont.

Copies are left out: most hits of a soundfont's kits are one recording at several velocities or filters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from synthhost.core.arrays import Audio
from synthhost.core.drum_map import DRUM_KEYS
from synthhost.core.errors import ConfigError, DownloadError, TrainingError
from synthhost.train.fetching import debian_package
from synthhost.train.keeping import kept
from synthhost.train.own_sounds import folder_stamp, own_hits
from synthhost.train.soundfont import Soundfont, general_soundfont, playing

_PACKAGE, _FOLDER = "sonic-pi-samples", "usr/share/sonic-pi/samples"
_PREFIXES: tuple[tuple[str, str], ...] = (
    ("bd_", "kick"),
    ("drum_bass", "kick"),
    ("drum_heavy_kick", "kick"),
    ("elec_hollow_kick", "kick"),
    ("elec_soft_kick", "kick"),
    ("sn_", "snare"),
    ("drum_snare", "snare"),
    ("elec_filt_snare", "snare"),
    ("elec_hi_snare", "snare"),
    ("elec_lo_snare", "snare"),
    ("elec_mid_snare", "snare"),
    ("elec_snare", "snare"),
    ("perc_snap", "clap"),
    ("drum_cymbal_closed", "closed-hat"),
    ("drum_cymbal_pedal", "closed-hat"),
    ("elec_tick", "closed-hat"),
    ("drum_cymbal_open", "open-hat"),
    ("drum_cymbal", "crash"),
    ("drum_splash", "crash"),
    ("elec_cymbal", "crash"),
    ("drum_tom", "tom"),
    ("elec_fuzz_tom", "tom"),
    ("drum_cowbell", "percussion"),
    ("perc_bell", "percussion"),
    ("elec_", "percussion"),
    ("tabla_", "percussion"),
)  # the first that fits
_ALIKE = 0.99  # correlation of two hits' log spectra, brought to one level, from which on they are copies
_QUIET = 1e-3
_HIT_S = 1.5
_FORMAT = 2


@dataclass(frozen=True, slots=True)
class DrumMaterial:
    """Which hits are taken.

    Attributes:
        classes: Kinds of drums, in order.
        kits: Programs of the soundfont's drum bank.
        velocities: Of MIDI.
        held_out_every: Of each kind, every so manyth hit is held out.
        folder: Of a player's own hits, which are taken instead of all others; empty: none.
    """

    classes: tuple[str, ...]
    kits: tuple[int, ...]
    velocities: tuple[int, ...]
    held_out_every: int
    folder: str = field(default="", repr=False)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> DrumMaterial:
        """Read the material of a recipe.

        Raises:
            ConfigError: Something of it is missing or of another kind.
        """
        try:
            made = cls(
                tuple(str(one) for one in plain["classes"]),
                tuple(int(one) for one in plain["kits"]),
                tuple(int(one) for one in plain["velocities"]),
                int(plain["held_out_every"]),
                str(plain.get("folder", "")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"material: {type(error).__name__}: {error}. See the shipped recipe."
            ) from error
        unknown = [name for name in made.classes if name not in DRUM_KEYS]
        if unknown or not made.classes or made.held_out_every < 2:
            known = ", ".join(DRUM_KEYS)
            raise ConfigError(f"material: classes must be some of {known}; held_out_every at least 2.")
        return made


@dataclass(frozen=True, slots=True)
class Hits:
    """Hits of one length and peak.

    Attributes:
        sounds: `[hits, samples]`.
        kinds: Which class each is, `[hits]`.
        held_out: Whether nothing is learned from it, `[hits]`.
    """

    sounds: NDArray[np.float32]
    kinds: NDArray[np.int64]
    held_out: NDArray[np.bool_]


def drum_hits(
    material: DrumMaterial,
    sample_rate: int,
    samples: int,
    cache: Path,
    say: Callable[[str], None] = lambda _: None,
) -> Hits:
    """Return all hits, without copies, made now or taken from the cache.

    Args:
        material: Of a recipe.
        sample_rate: In Hz.
        samples: Of each hit; what is longer fades out at its end.
        cache: Where packages and hits are kept.
        say: Takes a sentence now and then.

    Raises:
        DownloadError: A package cannot be had.
        TrainingError: A kind has too few hits.
    """
    described = [_FORMAT, repr(material), sample_rate, samples, *folder_stamp(material.folder)]
    return kept(Hits, cache / "drums", described, lambda: _made(material, sample_rate, samples, cache, say))


def played_hits(material: DrumMaterial, sample_rate: int, cache: Path) -> Iterator[tuple[str, Audio]]:
    """Yield every hit with its kind, copies included.

    Raises:
        DownloadError: A package cannot be had.
        TrainingError: A player's own hit cannot be read, or is of no known kind.
    """
    if material.folder:
        yield from own_hits(Path(material.folder), material.classes, sample_rate)
        return
    folder = debian_package(_PACKAGE, cache) / _FOLDER
    for path in sorted(folder.glob("*.flac")):
        kind = next((kind for prefix, kind in _PREFIXES if path.stem.startswith(prefix)), None)
        if kind in material.classes:
            yield str(kind), _read(path, sample_rate)
    with playing(general_soundfont(cache), sample_rate) as font:
        for kind in material.classes:
            yield from ((kind, sound) for sound in _of_kits(material, kind, font))


def shaped(sound: Audio, samples: int) -> Audio:
    """Return a hit from its start, so many samples long, its peak at 1, faded where it was cut."""
    peak = float(np.abs(sound).max()) if sound.size else 0.0
    if peak < _QUIET:
        return np.zeros(samples, np.float32)
    begin = int(np.flatnonzero(np.abs(sound) > 0.02 * peak)[0])
    cut = np.asarray(sound[max(begin - 8, 0) :][:samples], np.float32) / peak
    out = np.zeros(samples, np.float32)
    out[: cut.shape[0]] = cut
    fade = samples // 8
    out[-fade:] *= np.cos(np.linspace(0.0, np.pi / 2, fade, dtype=np.float32)) ** 2
    return out


def _made(
    material: DrumMaterial, sample_rate: int, samples: int, cache: Path, say: Callable[[str], None]
) -> Hits:
    say("playing the drums ...")
    sounds: list[list[Audio]] = [[] for _ in material.classes]
    known: list[list[NDArray[np.float64]]] = [[] for _ in material.classes]
    for kind, sound in played_hits(material, sample_rate, cache):
        hit = shaped(sound, samples)
        if not np.any(hit):
            continue
        place, looks = material.classes.index(kind), _look(hit)
        if all(float(looks @ other) < _ALIKE for other in known[place]):
            sounds[place].append(hit)
            known[place].append(looks)
    few = [name for name, hits in zip(material.classes, sounds, strict=True) if len(hits) < 4]
    if few and not material.folder:
        raise TrainingError(f"material: too few hits of {', '.join(few)}. Leave them out.")
    if not any(sounds):
        raise TrainingError(f"material: nothing of {material.folder or 'it'} sounds.")
    kinds = np.repeat(np.arange(len(sounds)), [len(hits) for hits in sounds])
    held_out = np.concatenate([np.arange(len(hits)) % material.held_out_every == 1 for hits in sounds])
    return Hits(np.stack([hit for hits in sounds for hit in hits]), kinds, held_out)


def _of_kits(material: DrumMaterial, kind: str, font: Soundfont) -> Iterator[Audio]:
    for kit in material.kits:
        for key in DRUM_KEYS[kind]:
            for velocity in material.velocities:
                yield font.hit(kit, key, velocity, _HIT_S)


def _look(hit: Audio) -> NDArray[np.float64]:
    """Return what a hit's spectrum looks like over time, of length 1 and without a mean."""
    size = 512
    pieces = hit[: hit.shape[0] // size * size].reshape(-1, size) * np.hanning(size)
    levels = np.log(np.abs(np.fft.rfft(pieces)) + 1e-2).ravel()
    levels -= levels.mean()
    return np.asarray(levels / (np.linalg.norm(levels) + 1e-12))


def _read(path: Path, sample_rate: int) -> Audio:
    try:
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise DownloadError(f"{path}: cannot be read ({error}). Remove its package and try again.") from error
    return np.asarray(soxr.resample(sound.mean(1), rate, sample_rate), dtype=np.float32)
