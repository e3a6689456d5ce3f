"""From a published checkpoint to a model of ours: know the layout, read it, write a model folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from synthhost.checkpoints import (
    chrisdonahue,
    deepsound,
    descriptinc,
    ivanvovk,
    jik876,
    lmnt_diffwave,
    lmnt_wavegrad,
    mostafaelaraby,
    nvidia,
    parallel_wavegan,
    philsyn,
    r9y9,
    seungwonpark,
    vincentherrmann,
)
from synthhost.checkpoints.bundle_index import bundle_index
from synthhost.checkpoints.layout import Layout, ReadModel
from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import save_package
from synthhost.checkpoints.reading import read_checkpoint
from synthhost.checkpoints.tensorflow_bundle import TensorBundle
from synthhost.core.errors import CheckpointError

LAYOUTS: tuple[Layout, ...] = (
    jik876.LAYOUT,
    mostafaelaraby.LAYOUT,
    chrisdonahue.LAYOUT,
    deepsound.LAYOUT,
    descriptinc.LAYOUT,
    seungwonpark.LAYOUT,
    parallel_wavegan.LAYOUT,
    r9y9.LAYOUT,
    vincentherrmann.LAYOUT,
    nvidia.LAYOUT,
    lmnt_diffwave.LAYOUT,
    philsyn.LAYOUT,
    lmnt_wavegrad.LAYOUT,
    ivanvovk.LAYOUT,
)
"""Every published layout that can be read, in the order they are tried."""


def read_model(path: Path, config: Path | None = None, sample_rate: int | None = None) -> ReadModel:
    """Return the model in a published checkpoint file.

    Args:
        path: The file with the weights; of a TensorFlow checkpoint its index, prefix or folder.
        config: Its configuration, where it does not lie beside the weights under its usual name.
        sample_rate: In Hz, of a model that takes no mel frames, where its files do not tell the right one.

    Raises:
        CheckpointError: If the file cannot be read safely, is of no known layout, or is of another rate.
    """
    index = bundle_index(path)
    path, content = (path, read_checkpoint(path)) if index is None else (index, TensorBundle(index))
    for layout in LAYOUTS:
        if layout.recognise(content):
            return _at_rate(path, layout.read(path, content, config), sample_rate)
    raise CheckpointError(
        f"{path}: is of no layout known here. Known: {', '.join(layout.name for layout in LAYOUTS)}. "
        f"{_keys(content)}"
    )


def import_checkpoint(
    path: Path, library: Path, origin: Origin, config: Path | None = None, sample_rate: int | None = None
) -> Path:
    """Import a published checkpoint as the folder `origin.name` of a library and return that folder.

    `config` and `sample_rate` are as for `read_model`.

    Raises:
        CheckpointError: If the file cannot be imported or the name is taken.
    """
    model = read_model(path, config, sample_rate)
    told = replace(origin, source=f"{origin.source}, as {model.layout} writes it")
    return save_package(model, told, library / origin.name)


def _at_rate(path: Path, model: ReadModel, sample_rate: int | None) -> ReadModel:
    if sample_rate is None:
        return model
    if model.mel is not None and model.mel.sample_rate != sample_rate:
        raise CheckpointError(
            f"{path}: its mel frames are those of sound at {model.mel.sample_rate} Hz, so it cannot be at "
            f"{sample_rate}. Import it without a sample rate."
        )
    return replace(model, sample_rate=sample_rate)


def _keys(content: object) -> str:
    if not isinstance(content, Mapping) or not content:
        return "It holds no named tensors."
    return f"It begins with: {', '.join(repr(key)[:40] for key in list(content)[:6])}."
