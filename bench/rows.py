"""One row of a table of back ends: what a case costs on one of them, beside the others and the peak."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.peak import Peak
from bench.race import Contender


@dataclass(frozen=True, slots=True)
class Row:
    """One model in chunks of one size on one back end.

    Real-time factors are compute time over sound time: below 1 keeps up. Speeds over another back end are
    medians of ratios within one round.
    """

    model: str
    backend: str
    form: str
    chunk_frames: int
    whole: bool  # each step a stream of its own, from its first frame to its end
    threads: int
    steps: int
    p10_ms: float  # what it costs when other programs leave it alone
    median_ms: float
    p999_ms: float
    real_time_factor: float
    offline_real_time_factor: float | None  # torch's whole pass
    against_offline: float | None  # compute of streaming over that of torch's whole pass, round by round
    gflop: float  # of the convolutions of one step
    gflop_per_s: float
    of_peak: float  # of the measured peak of so many cores
    speed_over_torch: float | None
    speed_over_onnxruntime: float | None
    max_error: float  # against the torch runner, as part of the peak


def rows_of(group: Sequence[Contender], offline: Sequence[float], peak: Peak) -> Iterator[Row]:
    """Yield a row for each back end of one case.

    Args:
        group: That were measured by turns.
        offline: Real-time factors of torch's whole pass, one a round; none if it was not measured.
        peak: Measured in the same run.
    """
    others = {one.backend: one for one in group}
    for one in group:
        case, spent_ms = one.case, 1000.0 * one.steps_s
        median_ms = float(np.median(spent_ms))
        factors = [1000.0 * float(np.median(times)) / case.sound_ms for times in one.rounds_s]
        ratios = [factor / whole for factor, whole in zip(factors, offline, strict=True)] if offline else []
        rate = case.gflop / median_ms * 1000.0
        yield Row(
            model=case.name,
            backend=one.backend,
            form=one.player.form,
            chunk_frames=case.chunk_frames,
            whole=case.whole,
            threads=case.threads,
            steps=len(spent_ms),
            p10_ms=round(float(np.quantile(spent_ms, 0.1)), 3),
            median_ms=round(median_ms, 3),
            p999_ms=round(float(np.quantile(spent_ms, 0.999)), 3),
            real_time_factor=round(median_ms / case.sound_ms, 4),
            offline_real_time_factor=round(float(np.median(offline)), 4) if offline else None,
            against_offline=round(float(np.median(ratios)), 3) if ratios else None,
            gflop=round(case.gflop, 5),
            gflop_per_s=round(rate, 1),
            of_peak=round(rate / (peak.float32_gflops * case.threads), 3),
            speed_over_torch=_rounded(one.speed_over(others.get("torch"))),
            speed_over_onnxruntime=_rounded(one.speed_over(others.get("onnxruntime"))),
            max_error=float(f"{one.error:.2g}"),
        )


def show_rows(rows: Sequence[Row], title: str, console: Console) -> None:
    """Print the rows as a table."""
    console.print(title, highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for head in ("model", "frames", "back end"):
        table.add_column(head, no_wrap=True)
    for head in ("p10", "ms", "p99.9", "time", "whole", "GF/s", "peak", "xtorch", "xORT"):
        table.add_column(head, justify="right", no_wrap=True)
    for model, group in itertools.groupby(rows, key=lambda row: row.model):
        found = list(group)
        whole = found[0].offline_real_time_factor
        if whole is not None:
            table.add_row(model, "whole", "(module)", "", "", "", f"{whole:.3f}", "1.00")
        for row in found:
            table.add_row(
                model,
                "whole" if row.whole else str(row.chunk_frames),
                row.backend,
                _milliseconds(row.p10_ms),
                _milliseconds(row.median_ms),
                _milliseconds(row.p999_ms),
                f"{row.real_time_factor:.3f}",
                _shown(row.against_offline),
                f"{row.gflop_per_s:.0f}",
                f"{100 * row.of_peak:.0f}%",
                _shown(row.speed_over_torch),
                _shown(row.speed_over_onnxruntime),
            )
    console.print(table)


def rows_as_json(rows: Sequence[Row], peak: Peak, name: str = "rows") -> dict[str, Any]:
    """Return the rows, and the peak they are compared with, as they are written to a file."""
    found: Mapping[str, Any] = {name: [asdict(row) for row in rows], "peak": peak.as_json()}
    return dict(found)


def _milliseconds(value: float) -> str:
    return f"{value:.2f}" if value < 100.0 else f"{value:.0f}"


def _rounded(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, 3)


def _shown(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"
