"""Claims about reading strangers' files: nothing is run, nothing grows, every refusal says what to do."""

from __future__ import annotations

import collections
import contextlib
import os
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from synthhost.checkpoints import reading
from synthhost.checkpoints.reading import file_sha256, read_checkpoint, read_safetensors
from synthhost.core.errors import CheckpointError


class Malicious:
    """Unpickling this creates a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.target), "w")


class RunsACommand:
    """Unpickling this runs a shell command."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.target}",)


class StrangerModel(torch.nn.Module):
    """A whole model object, as some training programs save it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv1d(1, 1, 1)


def saved(path: Path, content: object, legacy: bool) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


@pytest.mark.parametrize("legacy", [False, True])
def test_nested_tensors_come_back(tmp_path: Path, legacy: bool) -> None:
    content = {"generator": {"a": torch.arange(6.0).reshape(2, 3)}, "steps": 7, "note": "x", "list": [1, 2.5]}
    read = read_checkpoint(saved(tmp_path / "g_1", content, legacy))
    assert torch.equal(read["generator"]["a"], content["generator"]["a"])
    assert (read["steps"], read["note"], read["list"]) == (7, "x", [1, 2.5])


def test_safetensors_come_back_whatever_the_name(tmp_path: Path) -> None:
    for name in ("m.safetensors", "m.bin"):
        save_file({"a": torch.ones(3)}, tmp_path / name)
        assert torch.equal(read_checkpoint(tmp_path / name)["a"], torch.ones(3))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kind", [Malicious, RunsACommand])
def test_a_file_that_would_run_code_is_refused_and_runs_nothing(
    tmp_path: Path, legacy: bool, kind: type[Malicious]
) -> None:
    target = tmp_path / "owned"
    path = saved(tmp_path / "g_1", {"generator": {"a": torch.ones(2)}, "x": kind(target)}, legacy)
    with pytest.raises(CheckpointError, match=r"would run code.*nothing was run.*state_dict") as refusal:
        read_checkpoint(path)
    assert not target.exists()
    assert "weights_only" not in str(refusal.value)  # nobody is told to switch the safety off


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_bare_pickle_is_not_opened(tmp_path: Path, protocol: int) -> None:
    target = tmp_path / "owned"
    (tmp_path / "g_1").write_bytes(pickle.dumps(Malicious(target), protocol=protocol))
    with pytest.raises(CheckpointError, match="plain Python pickle"):
        read_checkpoint(tmp_path / "g_1")
    assert not target.exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_a_whole_model_object_is_refused_with_the_way_out(tmp_path: Path, legacy: bool) -> None:
    path = saved(tmp_path / "m.pt", StrangerModel(), legacy)
    with pytest.raises(CheckpointError, match=r"StrangerModel.*torch\.save\(model\.state_dict\(\)"):
        read_checkpoint(path)


def test_a_torchscript_program_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.ts", "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02}q\x00.")
        archive.writestr("m/constants.pkl", b"\x80\x02).")
    with pytest.raises(CheckpointError, match="TorchScript program"):
        read_checkpoint(tmp_path / "m.ts")


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
def test_a_cut_file_is_refused(tmp_path: Path, legacy: bool, share: float) -> None:
    path = saved(tmp_path / "g_1", {"generator": {"a": torch.randn(3000)}}, legacy)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CheckpointError, match=r"g_1: .*(damaged|cut short)"):
        read_checkpoint(path)


def test_a_flipped_weight_file_is_read_or_refused_but_never_crashes(tmp_path: Path) -> None:
    path = saved(tmp_path / "g_1", {"generator": {"a": torch.randn(50)}}, legacy=False)
    whole = path.read_bytes()
    for place in range(0, len(whole), 29):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with contextlib.suppress(CheckpointError):
            read_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"learning_rate: 0.1\nand so on\n", "text file"),
        (b"<!DOCTYPE html><html>", "text file"),
        (bytes(range(128, 256)) * 9, "not a torch or safetensors file"),
        (b"PK\x03\x04 and no more", "damaged or cut short"),
    ],
)
def test_other_files_are_named_for_what_they_are(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "g_1").write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(tmp_path / "g_1")


def test_a_folder_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a folder"):
        read_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="no such file"):
        read_checkpoint(tmp_path / "g_404")


def test_a_zip_of_other_things_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match=r"not one torch\.save writes"):
        read_checkpoint(tmp_path / "g.zip")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("the file was opened")

    with zipfile.ZipFile(tmp_path / "g_1", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("g/data.pkl", b"\x80\x02}q\x00.")
        archive.writestr("g/data/0", bytes(20_000_000))
    monkeypatch.setattr(torch, "load", refuse)
    with pytest.raises(CheckpointError, match=r"would unpack to 20000\d+"):
        read_checkpoint(tmp_path / "g_1")


def test_a_file_over_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "g_1", {"a": torch.zeros(1000)}, legacy=False)
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 1000)
    with pytest.raises(CheckpointError, match="are read"):
        read_checkpoint(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_tensor_that_claims_more_than_was_stored_is_refused(tmp_path: Path, legacy: bool) -> None:
    huge = torch.zeros(1).expand(10**9, 80, 7)
    path = saved(tmp_path / "g_1", {"generator": {"conv_pre.weight": huge}}, legacy)
    with pytest.raises(CheckpointError, match=r"1000000000, 80, 7.*not stored in full"):
        read_checkpoint(path)


def test_a_legacy_file_that_claims_a_terabyte_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "g_1", collections.OrderedDict(a=torch.zeros(300)), legacy=True)
    raw = path.read_bytes()
    claimed = raw.replace(b"M\x2c\x01", b"\x8a\x05" + (2**38).to_bytes(5, "little"))  # 300 becomes 2**38
    assert claimed != raw
    path.write_bytes(claimed)
    with pytest.raises(CheckpointError, match="g_1"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "header", [b'{"a":', b'{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4]}}']
)
def test_a_damaged_safetensors_file_is_refused(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(CheckpointError, match="not a complete safetensors file"):
        read_safetensors(tmp_path / "w.safetensors")


def test_sha256_is_the_known_one(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert file_sha256(tmp_path / "f").startswith("ba7816bf8f01cfea414140de5dae2223")
