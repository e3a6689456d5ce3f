"""`synthhost certify`: measure what a model promises on this machine."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from synthhost.checkpoints.package import save_certificate
from synthhost.cli.computing import BackendOption, DeviceOption
from synthhost.core.computing import asked_for
from synthhost.core.options import without_options
from synthhost.library.certify import certify
from synthhost.library.finding import find_model
from synthhost.library.shelves import load_found
from synthhost.schema.manifest import Certificate

_ROUNDING = 1e-4  # of the peak: above it a program's sound is another one in other chunks


def command(
    model: Annotated[str, typer.Argument(help="A model's name, folder or checkpoint file.")],
    backend: BackendOption = None,
    device: DeviceOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Measure chunk invariance, look-ahead and cost, and keep the certificate beside the model.

    Under options, or on a back end or device that was asked for, it is only shown: what is kept is of the
    model as it plays without.
    """
    path = find_model(model)
    package = load_found(path)
    progress = Console(stderr=True)
    with progress.status("loading") as status:
        options = {**without_options(model)[1], **asked_for(backend, device)}
        certificate = certify(package, status.update, options)
    kept = save_certificate(certificate, path) if path.is_dir() and not options else None
    if as_json:
        typer.echo(json.dumps(certificate.as_json(), indent=2))
        return
    console = Console()
    print_certificate(certificate, console, package.manifest.sample_rate)
    if package.program is not None:
        console.print(_of_program(certificate))
    if options:
        console.print("Not kept: it is not the model as it plays without options.", style="dim")
    if kept:
        console.print(str(kept), style="dim", soft_wrap=True, markup=False)


def _of_program(certificate: Certificate) -> str:
    """Say what could not be derived of a model that is a program, and what its chunk error means."""
    text = (
        "A program: its look-ahead and reach are not derived, only measured by disturbance in one long step."
    )
    if certificate.chunk_error <= _ROUNDING and not certificate.look_ahead_measured_samples:
        return text
    return (
        f"{text} Its sound depends on how many frames a step takes: it was not made for playing in pieces, "
        "or it draws by chance. The same chunk size gives the same sound again."
    )


def print_certificate(certificate: Certificate, console: Console, sample_rate: int) -> None:
    """Show a certificate to a person; `sample_rate` is the model's, in Hz."""
    threads = f"{certificate.threads} thread{'s' * (certificate.threads != 1)}"
    console.print(
        f"{certificate.model} on {certificate.machine}, torch {certificate.torch}, {threads}, computed by "
        f"{certificate.backend} on {certificate.device}, in {certificate.precision}",
        markup=False,
    )
    error = certificate.rounding_error
    rounding = "" if error is None else f" (float32 itself rounds by {error:.1e})"
    console.print(
        f"any chunking: within {certificate.chunk_error:.1e} of the peak over "
        f"{certificate.chunkings} chunkings{rounding}"
    )
    console.print(
        f"look-ahead: {certificate.look_ahead_samples} samples "
        f"({1000 * certificate.look_ahead_samples / sample_rate:.1f} ms), "
        f"by disturbance {certificate.look_ahead_measured_samples}; "
        f"one sample depends on up to {certificate.receptive_frames} frames"
    )
    if cost := certificate.precision_cost:
        console.print(
            f"{certificate.precision} against float32, over {cost.samples} samples: the sound (of "
            f"autoregressive models what it is drawn from) differs by {-cost.snr_db:.1f} dB; log-mel spectra "
            f"by {cost.log_mel:.3f}, those of two seeds by {cost.log_mel_of_seeds:.3f}"
        )
    table = Table("frames a step", "median ms", "p99 ms", "of real time", box=None, pad_edge=False)
    for chunk in certificate.costs:
        share = f"{100 * chunk.real_time_factor:.0f} %"
        table.add_row(str(chunk.chunk_frames), f"{chunk.median_ms:.2f}", f"{chunk.p99_ms:.2f}", share)
    console.print(table)
