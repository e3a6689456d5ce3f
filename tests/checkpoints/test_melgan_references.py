"""MelGAN, multi-band MelGAN, HiFi-GAN and Parallel WaveGAN sound as the public implementations do."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from synthhost.features.mel import mel_spectrogram
from synthhost.library.model import Model
from synthhost.library.shelves import load_model
from synthhost.streaming.sequence import Sequence

REFERENCE = Path(
    os.environ.get("SYNTHHOST_REFERENCE", Path(__file__).resolve().parents[3] / "shared" / "reference")
)
TOOLKIT = [
    "melgan-parallelwavegan-v1",
    "mbmelgan-parallelwavegan-v2",
    "hifigan-parallelwavegan-v1",
    "pwg-parallelwavegan-v1",
]
pytestmark = pytest.mark.reference


class Vectors:
    """A folder and what it states."""

    def __init__(self, name: str) -> None:
        self.folder = REFERENCE / name
        if not self.folder.is_dir():
            pytest.skip(f"no reference vectors in {REFERENCE}")
        self.about: dict[str, Any] = json.loads((self.folder / "about.json").read_text())

    def __getitem__(self, name: str) -> np.ndarray:
        return np.load(self.folder / f"{name}.npy")

    def model(self, folder: Path) -> Model:
        """Load the checkpoint under the name it was published by, its companions beside it."""
        for path in self.folder.iterdir():
            if path.suffix in (".yml", ".yaml", ".h5"):
                shutil.copyfile(path, folder / path.name)
        target = folder / self.about["original_file_name"]
        shutil.copyfile(self.folder / self.about["checkpoint_files"][0], target)
        return load_model(target)

    def check(self, name: str, computed: np.ndarray) -> None:
        bound = self.about["tolerance"].get(name, self.about["tolerance"]["audio"])
        np.testing.assert_allclose(computed.reshape(-1), self[name].reshape(-1), atol=bound, rtol=0)


def test_descriptinc(tmp_path: Path) -> None:
    vectors = Vectors("melgan-descriptinc-ngf8")
    model = vectors.model(tmp_path)
    vectors.check("mel", mel_spectrogram(vectors["wav"], model.spec.mel))
    vectors.check("audio", model.render(vectors["mel"][0], chunk_frames=1))


def test_seungwonpark(tmp_path: Path) -> None:
    vectors = Vectors("melgan-seungwonpark-80")
    model = vectors.model(tmp_path)
    mel = vectors["mel"][0]
    vectors.check("mel", mel_spectrogram(vectors["wav"], model.spec.mel))
    vectors.check("audio_nopad", model.render(mel, chunk_frames=20))
    sound = model.with_options(tail_frames=10).render(mel)
    vectors.check("audio", sound)
    whole_numbers = np.clip(sound * 32768.0, -32768, 32767).astype(np.int16)
    assert np.abs(whole_numbers.astype(int) - vectors["audio_int16"]).max() <= 4


@pytest.mark.parametrize("name", TOOLKIT)
def test_the_parallel_wavegan_toolkit(tmp_path: Path, name: str) -> None:
    vectors = Vectors(name)
    model = vectors.model(tmp_path)
    vectors.check("feats_raw", mel_spectrogram(vectors["wav"], model.spec.mel).T)
    tape = {"noise": vectors["z"]} if "z" in vectors.about["arrays"] else {}
    vectors.check("audio", model.render(vectors["feats_raw"].T, chunk_frames=7, **tape))
    tensors = model._package.tensors
    mean, scale = tensors["stats.mean"].numpy(), tensors["stats.scale"].numpy()
    raw = vectors["feats_norm"] * scale + mean
    np.testing.assert_allclose(raw, vectors["feats_raw"], atol=1e-5)
    vectors.check("audio_from_norm", model.render(raw.T, chunk_frames=1000, **tape))


def test_bands_of_sound_before_they_are_joined(tmp_path: Path) -> None:
    vectors = Vectors("mbmelgan-parallelwavegan-v2")
    network = vectors.model(tmp_path).playable
    assert isinstance(network, Sequence)
    x = torch.from_numpy(vectors["feats_raw"].T.copy())[None]
    with torch.inference_mode():
        for part in network.parts[:-1]:
            x = part(x)
    vectors.check("subbands", x.numpy())
    np.testing.assert_allclose(
        network["synthesis"].weight.flip(2)[:, 0].numpy() / 4, vectors["pqmf_synthesis_filter"][0], atol=1e-7
    )
