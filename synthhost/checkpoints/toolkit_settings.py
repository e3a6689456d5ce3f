"""What configurations of kan-bayashi/ParallelWaveGAN say of all its networks."""

from __future__ import annotations

import re
from math import log

from synthhost.checkpoints.settings import Settings
from synthhost.core.specs import MelSpec

_FLOOR = 1e-10
_TORCH_SLOPE = 0.01  # of a leaky rectifier that is given none
_OLD_PQMF_UNTIL = (0, 4, 2)
_OLD_CUTOFF = 0.15


def mel_spec(config: Settings, bands: int, hop_samples: int) -> MelSpec:
    """Return the front end, which must make frames such as the network takes.

    Raises:
        CheckpointError: It cannot be computed here, or makes other frames.
    """
    config.expect("num_mels", bands)
    config.expect("hop_size", hop_samples)
    config.known("window", "hann")
    sample_rate = config.whole("sampling_rate", 1000, 384_000)
    config.known("sampling_rate_for_feats", sample_rate)
    n_fft = config.whole("fft_size", max(hop_samples, 16), 65536)
    highest = sample_rate / 2
    fmin = config.number("fmin", 0.0, highest) if "fmin" in config else 0.0
    return MelSpec(
        convention="kan-bayashi",
        sample_rate=sample_rate,
        n_fft=n_fft,
        hop_samples=hop_samples,
        win_samples=config.whole("win_length", 1, n_fft) if "win_length" in config else n_fft,
        bands=bands,
        fmin_hz=fmin,
        fmax_hz=config.number("fmax", fmin + 1.0, highest) if "fmax" in config else highest,
        log="ln" if natural_logarithm(config) else "log10",
        floor=_FLOOR,
    )


def natural_logarithm(config: Settings) -> bool:
    """Tell whether features are natural logarithms: `log_base` is there and null. Else their base is 10."""
    config.known("log_base", 10.0)
    return config.is_null("log_base")


def silence(config: Settings) -> float:
    """Return what a band without sound reads, before it is standardised."""
    return log(_FLOOR) if natural_logarithm(config) else -10.0


def slope_of(params: Settings, default: float) -> float:
    """Return the slope of a network's rectifiers for negative values; `default` where nothing is said.

    Raises:
        CheckpointError: It has other activations.
    """
    params.known("nonlinear_activation", "LeakyReLU", "ReLU")
    if params.text("nonlinear_activation") == "ReLU":
        return 0.0
    if "nonlinear_activation_params" not in params:
        return default
    given = params.section("nonlinear_activation_params")
    return given.number("negative_slope", 0.0, 1.0) if "negative_slope" in given else _TORCH_SLOPE


def pqmf_settings(config: Settings) -> dict[str, float]:
    """Return the numbers that the filter bank of a multi-band network is designed from.

    Until version 0.4.2, and where no version is written down, the cut-off was another.

    Raises:
        CheckpointError: A number is out of range.
    """
    given = config.section("pqmf_params")
    old = "pqmf_params" not in config and _version(config) <= _OLD_PQMF_UNTIL
    cutoff = _OLD_CUTOFF if old else 0.142
    return {
        "taps": given.whole("taps", 2, 1024) if "taps" in given else 62,
        "cutoff": given.number("cutoff_ratio", 1e-3, 0.999) if "cutoff_ratio" in given else cutoff,
        "beta": given.number("beta", 0.0, 100.0) if "beta" in given else 9.0,
    }


def _version(config: Settings) -> tuple[int, ...]:
    """Return the toolkit's version as numbers; a letter behind them makes it later."""
    said = config.scalar_text("version") or "0.1.0"
    parts = re.findall(r"\d{1,9}|[a-z]+", said[:40])
    return tuple(int(part) if part.isdigit() else 0 for part in parts)
