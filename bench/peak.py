"""What this processor does at most, measured beside the figures that are compared with it.

`python -m bench.peak` prints one core's rates.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from rich.console import Console

from bench.report import print_machine, run
from synthhost.native.compiled import compiled

_TRY_S = 0.05
_L2_KIB, _L3_KIB = 768, 16 * 1024


@dataclass(slots=True)
class Peak:
    """The best rates of one core seen so far, at the level of instructions in use."""

    level: str
    float32_gflops: float = 0.0
    int8_gops: float | None = None
    read_l2_gb_per_s: float = 0.0  # 768 KiB over and over
    read_l3_gb_per_s: float = 0.0  # 16 MiB over and over

    def try_again(self) -> None:
        """Measure once more; the best of all tries counts, as other programs only lower a rate.

        Raises:
            ConfigError: The compiled extension is not here.
        """
        loops = compiled()
        self.float32_gflops = max(self.float32_gflops, loops.float32_gflops(_TRY_S))
        of_bytes = loops.int8_gops(_TRY_S)
        self.int8_gops = None if of_bytes is None else max(self.int8_gops or 0.0, of_bytes)
        self.read_l2_gb_per_s = max(self.read_l2_gb_per_s, loops.read_gb_per_second(_L2_KIB, _TRY_S))
        self.read_l3_gb_per_s = max(self.read_l3_gb_per_s, loops.read_gb_per_second(_L3_KIB, _TRY_S))

    def __str__(self) -> str:
        """Return all of it as a person reads it."""
        of_bytes = "no int8 products" if self.int8_gops is None else f"int8 {self.int8_gops:.0f} GOP/s"
        return (
            f"One core at {self.level}: float32 {self.float32_gflops:.0f} GFLOP/s, {of_bytes}; reads "
            f"{self.read_l2_gb_per_s:.0f} GB/s from L2, {self.read_l3_gb_per_s:.0f} GB/s from 16 MiB."
        )

    def as_json(self) -> dict[str, float | str | None]:
        """Return the rates as they are written to a file."""
        rates = asdict(self).items()
        return {name: one if isinstance(one, str | None) else round(one, 1) for name, one in rates}


def measured_peak() -> Peak:
    """Return the peak, tried once; raises as a try does."""
    peak = Peak(compiled().processor_level())
    peak.try_again()
    return peak


def command() -> None:
    """Measure what one core does at most."""
    console = Console()
    print_machine(console)
    peak = measured_peak()
    for _ in range(4):
        peak.try_again()
    console.print(str(peak), highlight=False, soft_wrap=True)


if __name__ == "__main__":
    run(command)
