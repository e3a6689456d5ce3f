"""Whether streamed sound is the offline pass's, with real weights on recordings, and how near it is to them.

`python -m bench.fidelity --model hifigan-universal [RECORDING ...]`

Streamed sound is compared with the offline render, which is one chunk through the same code, and with the
network's plain forward in float32. What float32 itself rounds away, plain forward against float64, stands
beside it: two orders of summation cannot agree more closely than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soundfile
import torch
import typer
from rich.console import Console
from rich.table import Table

from bench.report import print_machine, run, write_json
from synthhost.core.arrays import Audio, Features
from synthhost.core.errors import SourceError
from synthhost.features.mel import mel_spectrogram
from synthhost.library.finding import find_model
from synthhost.library.model import Model, build_network, model_from
from synthhost.library.shelves import load_found
from synthhost.streaming.block import AnyBlock

DEFAULT_MODEL = "hifigan-universal"
BOUND = 1e-5  # of the peak
LONGEST_S = 30.0  # the offline pass holds every layer of the whole recording

_LONGEST_PIECE_FRAMES = 12
_PLAIN: dict[str, Any] = {"box": None, "pad_edge": False}


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound, and the log-mel L1 the public implementation reached on it with the universal weights."""

    name: str
    path: Path
    published_l1: float | None = None


_SPEECH = Path("/usr/share/pocketsphinx/test/data/librivox")
_SAMPLES = Path("/usr/share/sonic-pi/samples")
RECORDINGS = (
    Recording("spoken sentence", _SPEECH / "sense_and_sensibility_01_austen_64kb-0870.wav", 0.32),
    Recording("drum loop", _SAMPLES / "loop_amen.flac", 0.26),
    Recording("sparse drum loop", _SAMPLES / "loop_breakbeat.flac"),
    Recording("choir", _SAMPLES / "ambi_choir.flac", 0.46),
    Recording("piano", _SAMPLES / "ambi_piano.flac", 0.65),
)
"""From Debian's pocketsphinx-testdata and sonic-pi-samples.

The published figures come from a sentence, a loop, a choir and a piano of these collections; which sentence
was not written down.
"""


@dataclass(frozen=True, slots=True)
class Fidelity:
    """One recording through one model. L1 is the mean distance of log-mel values, natural logarithm."""

    name: str
    seconds: float
    pieces: int
    render_error: float  # streamed against the offline render, largest difference over the peak
    forward_error: float  # streamed against the plain forward
    rounding_error: float  # the plain forward against itself in float64
    streamed_l1: float
    offline_l1: float
    published_l1: float | None


def measure(
    recordings: Sequence[Recording] = RECORDINGS, model: str = DEFAULT_MODEL, threads: int = 1, seed: int = 0
) -> list[Fidelity]:
    """Render every recording streamed in random chunks and whole, and compare.

    Raises:
        ModelNotFoundError: The model is not on this machine; the message says how to get it.
        SourceError: A recording cannot be read.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        package = load_found(find_model(model))
        loaded, block = model_from(package), build_network(package).eval()
        exact = build_network(package).double().eval()
        random = np.random.default_rng(seed)
        return [_compare(recording, loaded, (block, exact), random) for recording in recordings]
    finally:
        torch.set_num_threads(before)


def present(recordings: Sequence[Recording] = RECORDINGS) -> tuple[list[Recording], list[Recording]]:
    """Return the recordings that are on this machine, and those that are not."""
    found = [each for each in recordings if each.path.is_file()]
    return found, [each for each in recordings if each not in found]


def _compare(
    recording: Recording, model: Model, blocks: tuple[AnyBlock, AnyBlock], random: np.random.Generator
) -> Fidelity:
    features = model.mel(*_read(recording.path))
    pieces = _pieces(features, random)
    streamed = _streamed(model, pieces)
    whole, exact = (_whole(block, features) for block in blocks)
    return Fidelity(
        name=recording.name,
        seconds=round(len(whole) / model.spec.sample_rate, 2),
        pieces=len(pieces),
        render_error=_error(model.render(features, chunk_frames=features.shape[1]), streamed),
        forward_error=_error(whole, streamed),
        rounding_error=_error(exact, whole),
        streamed_l1=_distance(streamed, features, model),
        offline_l1=_distance(whole, features, model),
        published_l1=recording.published_l1,
    )


def _error(truth: Audio, other: Audio) -> float:
    """Return the largest difference over the truth's peak."""
    return float(np.abs(truth - other).max() / max(float(np.abs(truth).max()), 1e-12))


def _read(path: Path) -> tuple[Audio, int]:
    try:
        with soundfile.SoundFile(path) as file:
            samples = file.read(int(LONGEST_S * file.samplerate), dtype="float32", always_2d=True)
            return samples.T, file.samplerate
    except (OSError, soundfile.SoundFileError) as error:
        raise SourceError(f"{path}: the recording cannot be read ({error}). Check the path.") from error


def _pieces(features: Features, random: np.random.Generator) -> list[Features]:
    frames = features.shape[1]
    ends = np.cumsum(random.integers(1, _LONGEST_PIECE_FRAMES + 1, frames))
    return np.split(features, ends[ends < frames], axis=1)


def _streamed(model: Model, pieces: Sequence[Features]) -> Audio:
    stream = model.stream()
    return np.concatenate([*(stream.push(piece) for piece in pieces), stream.flush()])


def _whole(block: AnyBlock, features: Features) -> Audio:
    with torch.inference_mode():
        frames = torch.from_numpy(features)[None].to(next(block.parameters()).dtype)
        sound: Audio = block(frames)[0, 0].numpy()
    return sound


def _distance(sound: Audio, features: Features, model: Model) -> float:
    again = mel_spectrogram(sound, model.spec.mel)
    return float(np.abs(again - features).mean())


def show(measured: Sequence[Fidelity], model: str, console: Console) -> None:
    """Print the comparison."""
    console.print(f"Fidelity: {model}, streamed in random chunks", highlight=False)
    errors = Table("largest error over peak", "s", "from render", "from forward", "float32 rounds", **_PLAIN)
    for each in measured:
        seconds = f"{each.seconds:.1f}"
        known = f"{each.rounding_error:.1e}"
        errors.add_row(each.name, seconds, _judged(each.render_error), _judged(each.forward_error), known)
    console.print(errors)
    distances = Table("log-mel L1 to the recording", "streamed", "offline", "published code", **_PLAIN)
    for each in measured:
        published = "" if each.published_l1 is None else f"{each.published_l1:.2f}"
        distances.add_row(each.name, f"{each.streamed_l1:.3f}", f"{each.offline_l1:.3f}", published)
    console.print(distances)


def _judged(error: float) -> str:
    return f"{error:.1e}" if error <= BOUND else f"[bold]{error:.1e} OVER {BOUND:.0e}[/bold]"


def show_missing(missing: Sequence[Recording], console: Console) -> None:
    """Say which recordings were left out, and where they come from."""
    if missing:
        names = ", ".join(f"{each.name} ({each.path})" for each in missing)
        console.print(
            f"Left out, not on this machine: {names}. They are in Debian's pocketsphinx-testdata and "
            "sonic-pi-samples; or name recordings of your own.",
            soft_wrap=True,
            highlight=False,
        )


def as_json(measured: Sequence[Fidelity], model: str) -> dict[str, Any]:
    """Return the comparison as it is written to a file."""
    return {"fidelity": {"model": model, "bound": BOUND, "recordings": [asdict(each) for each in measured]}}


def command(
    paths: Annotated[list[Path] | None, typer.Argument(help="Recordings in place of the usual four.")] = None,
    model: Annotated[str, typer.Option(help="An installed model's name or path.")] = DEFAULT_MODEL,
    threads: Annotated[int, typer.Option(min=1, max=64)] = 1,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the figures here too.")] = None,
) -> None:
    """Compare streamed sound with the offline pass and with what it should sound like."""
    console = Console()
    found, missing = ([Recording(path.name, path) for path in paths], []) if paths else present()
    measured = measure(found, model, threads)
    print_machine(console)
    show(measured, model, console)
    show_missing(missing, console)
    write_json(json_, as_json(measured, model))


if __name__ == "__main__":
    run(command)
