"""Options may name a file of numbers, which is read as numbers and never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from synthhost.core.errors import ConfigError
from synthhost.core.options import OptionSpec
from synthhost.library.number_files import MAX_FILE_BYTES, numbers_in, with_files_read

SPECS = (
    OptionSpec("schedule", "fast", "a schedule", file_of_numbers=True),
    OptionSpec("name", "x", "a name"),
)
BETAS = [1e-6, 0.25, 0.5]


def saved(folder: Path, content: Any) -> Path:
    """Write a file of numbers, as torch does if it is one of torch's, else as numpy does."""
    path = folder / "betas.pt"
    torch.save(content, path)
    return path


def test_an_array_is_read_as_it_is(tmp_path: Path) -> None:
    np.save(tmp_path / "betas.npy", np.array(BETAS))
    assert numbers_in(tmp_path / "betas.npy", "schedule") == BETAS
    np.save(tmp_path / "betas.npy", np.array(BETAS, dtype=np.float32))
    assert numbers_in(tmp_path / "betas.npy", "schedule") == np.array(BETAS, dtype=np.float32).tolist()


@pytest.mark.parametrize(
    "content", [BETAS, torch.tensor(BETAS).double(), [torch.tensor(beta).double() for beta in BETAS]]
)
def test_torch_files_hold_a_tensor_a_list_or_a_list_of_tensors(tmp_path: Path, content: Any) -> None:
    np.testing.assert_allclose(numbers_in(saved(tmp_path, content), "schedule"), BETAS, rtol=1e-6)


def test_only_the_option_that_may_is_read_from_a_file(tmp_path: Path) -> None:
    path = str(saved(tmp_path, BETAS))
    read = with_files_read(SPECS, {"schedule": path, "name": "other.npy"})
    assert read == {"schedule": "1e-06,0.25,0.5", "name": "other.npy"}
    assert with_files_read(SPECS, {"schedule": "fast", "name": "x"}) == {"schedule": "fast", "name": "x"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (torch.zeros(2, 2), "something else than one list"),
        ({"betas": BETAS}, "something else"),
        ([0.1, [0.2]], "something else"),
        ([0.1, "text"], "something else"),
        ([True, False], "something else"),
        ([], "something else|holds 0 numbers"),
        (torch.zeros(20_000), "holds 20000 numbers"),
    ],
)
def test_what_is_no_list_of_numbers_is_refused(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        numbers_in(saved(tmp_path, content), "schedule")


def test_programs_missing_files_and_large_ones_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    (tmp_path / "text.npy").write_text("1, 2")
    (tmp_path / "large.npy").write_bytes(bytes(MAX_FILE_BYTES + 1))
    words = {"objects": "no array", "text": "no array", "large": "too many", "absent": "no such file"}
    for name, expected in words.items():
        with pytest.raises(ConfigError, match=expected):
            numbers_in(tmp_path / f"{name}.npy", "schedule")
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(ConfigError, match="no such file"):
        numbers_in(tmp_path / "folder.npy", "schedule")
    (tmp_path / "text.pt").write_text("1, 2")
    with pytest.raises(ConfigError, match=r"schedule: .*text\.pt: is a text file"):
        numbers_in(tmp_path / "text.pt", "schedule")
