"""TensorFlow checkpoints are read whole or refused with a sentence, whatever the bytes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthhost.checkpoints.bundle_index import bundle_index
from synthhost.checkpoints.tensorflow_bundle import TensorBundle
from synthhost.checkpoints.tensorflow_table import read_table
from synthhost.core.errors import CheckpointError

CHANCE = np.random.default_rng(0)
VARIABLES = {
    "G/a/kernel": CHANCE.standard_normal((3, 5)).astype(np.float32),
    "G/a/kernel/Adam": CHANCE.standard_normal((3, 5)).astype(np.float32),
    "G/b/bias": CHANCE.standard_normal(7).astype(np.float16),
    "double": CHANCE.standard_normal(2),
    "global_step": np.array(18637, dtype=np.int64),
    "none": np.zeros((0, 4), dtype=np.int32),
}
DATA = ".data-00000-of-00001"


@pytest.fixture(scope="module")
def index(write_bundle: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the index of a small checkpoint."""
    path: Path = write_bundle(tmp_path_factory.mktemp("bundle") / "model.ckpt-7", VARIABLES)
    return path


def test_every_variable_is_read_by_name_as_it_was(index: Path) -> None:
    bundle = TensorBundle(index)
    assert set(bundle) == set(VARIABLES)
    for name, array in VARIABLES.items():
        np.testing.assert_array_equal(bundle[name].numpy(), array)
        assert bundle[name].numpy().dtype == array.dtype


def test_an_index_its_prefix_and_its_folder_mean_the_same_checkpoint(index: Path) -> None:
    assert bundle_index(index) == index
    assert bundle_index(index.with_suffix("")) == index
    assert bundle_index(index.parent) == index


def test_other_paths_mean_no_such_checkpoint(index: Path, tmp_path: Path) -> None:
    assert bundle_index(tmp_path) is None
    assert bundle_index(tmp_path / "missing") is None
    assert bundle_index(index.with_name(f"model.ckpt-7{DATA}")) is None


def test_of_several_checkpoints_the_one_that_the_folder_names_is_meant(index: Path, tmp_path: Path) -> None:
    for step in (7, 8):
        shutil.copy(index, tmp_path / f"model.ckpt-{step}.index")
    with pytest.raises(CheckpointError, match=r"several checkpoints \(model\.ckpt-7\.index, .*Name one"):
        bundle_index(tmp_path)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/model.ckpt-8"\n')
    assert bundle_index(tmp_path) == tmp_path / "model.ckpt-8.index"
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-9"\n')
    with pytest.raises(CheckpointError, match="several"):
        bundle_index(tmp_path)


def test_a_checkpoint_without_its_data_says_where_they_belong(index: Path, tmp_path: Path) -> None:
    shutil.copy(index, tmp_path)
    with pytest.raises(CheckpointError, match=r"ckpt-7\.data-00000-of-00001.*belongs beside its index"):
        TensorBundle(tmp_path / index.name)["G/a/kernel"]


def test_changed_data_are_found_by_their_checksum(index: Path, tmp_path: Path) -> None:
    copied = _copied(index, tmp_path)
    data = bytearray(copied.with_name(f"model.ckpt-7{DATA}").read_bytes())
    data[3] ^= 1
    copied.with_name(f"model.ckpt-7{DATA}").write_bytes(data)
    with pytest.raises(CheckpointError, match=r"checksum of G/a/kernel does not fit"):
        TensorBundle(copied)["G/a/kernel"]


def test_data_cut_short_are_refused(index: Path, tmp_path: Path) -> None:
    copied = _copied(index, tmp_path)
    copied.with_name(f"model.ckpt-7{DATA}").write_bytes(b"1234")
    with pytest.raises(CheckpointError, match=r"ends before G/a/kernel"):
        TensorBundle(copied)["G/a/kernel"]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"", "0 data files"),
        (b"\x08\x80\x80\x80\x80\x08", "data files"),
        (b"\x08\x01\x10\x01", "big-endian"),
        (b"\x0b", "cannot be read"),
    ],
)
def test_a_header_that_is_none_is_refused(
    write_table: Any, tmp_path: Path, header: bytes, words: str
) -> None:
    (tmp_path / "x.index").write_bytes(write_table([(b"", header)]))
    with pytest.raises(CheckpointError, match=words):
        TensorBundle(tmp_path / "x.index")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"\x08\x07", "no tensor of numbers"),  # text
        (b"\x08\x01\x3a\x00", "in pieces"),
        (b"\x08\x01\x12\x04\x12\x02\x08\x05", "another size than its shape"),
        (b"\x08\x01\x12\x0d\x12\x0b\x08" + b"\xff" * 9 + b"\x01", "out of range"),
        (b"\x08\x01\x28" + b"\xff" * 5 + b"\x01", "a tensor of"),
        (b"\x08\x01\x12\x22" + b"\x12\x00" * 17, "17 dimensions"),
        (b"\x12\x7f", "cut short"),
        (b"\x08" + b"\xff" * 11, "does not end"),
    ],
)
def test_an_entry_that_cannot_be_is_refused(
    write_table: Any, tmp_path: Path, message: bytes, words: str
) -> None:
    (tmp_path / "x.index").write_bytes(write_table([(b"", b"\x08\x01"), (b"v", message)]))
    with pytest.raises(CheckpointError, match=words):
        TensorBundle(tmp_path / "x.index")["v"]


def test_keys_out_of_order_are_refused(write_table: Any) -> None:
    with pytest.raises(CheckpointError, match="not in order"):
        read_table(write_table([(b"b", b"1"), (b"a", b"2")]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.randoms(use_true_random=False), way=st.sampled_from(["cut", "bend", "swap", "stretch"]))
def test_a_broken_index_is_refused_and_never_believed(
    index: Path, tmp_path: Path, chance: Any, way: str
) -> None:
    raw = bytearray(index.read_bytes())
    place = chance.randrange(len(raw))
    if way == "cut":
        del raw[place:]
    elif way == "bend":
        raw[place] ^= 1 << chance.randrange(8)
    elif way == "swap":
        raw[place : place + 8] = chance.randbytes(8)
    else:
        raw[place:place] = chance.randbytes(chance.randrange(1, 20))
    copied = _copied(index, tmp_path)
    copied.write_bytes(raw)
    try:
        bundle = TensorBundle(copied)
        read = {name: bundle[name].numpy() for name in bundle}
    except CheckpointError:
        return
    for name, array in read.items():  # what was bent lay outside of what is read
        np.testing.assert_array_equal(array, VARIABLES[name])


def _copied(index: Path, folder: Path) -> Path:
    shutil.copy(index.with_name(f"model.ckpt-7{DATA}"), folder)
    return Path(shutil.copy(index, folder))
