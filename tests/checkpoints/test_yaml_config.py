"""YAML companions are read as data: tags make nothing, aliases and sizes are bounded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from synthhost.checkpoints.json_config import JsonConfig
from synthhost.checkpoints.yaml_config import YamlConfig, merged, yaml_documents
from synthhost.core.errors import CheckpointError

NAMESPACE = """!!python/object:argparse.Namespace
n_mel_channels: 80
data_path: !!python/object/apply:pathlib.PosixPath
- data
ratios: !!python/tuple [8, 2]
cond_disc: false
load_path: null
"""


def read(text: str) -> object:
    (document,) = yaml_documents(text, "args.yml")
    return document


def test_tagged_nodes_are_the_plain_values_under_them() -> None:
    assert read(NAMESPACE) == {
        "n_mel_channels": 80,
        "data_path": ["data"],
        "ratios": [8, 2],
        "cond_disc": False,
        "load_path": None,
    }


@pytest.mark.parametrize("call", ["os.system", "subprocess.check_output", "builtins.eval"])
def test_a_tag_that_would_run_something_runs_nothing(tmp_path: Path, call: str) -> None:
    proof = tmp_path / "proof"
    assert read(f"a: !!python/object/apply:{call} ['touch {proof}']") == {"a": [f"touch {proof}"]}
    assert not proof.exists()


def test_numbers_and_words_are_those_of_pyyaml() -> None:
    assert read("{a: 1.0e-06, b: 0.4.8, c: yes, d: '8', e: 0.5, f: 2020-01-01}") == {
        "a": 1e-6,
        "b": "0.4.8",
        "c": True,
        "d": "8",
        "e": 0.5,
        "f": "2020-01-01",
    }


def test_documents_are_merged_in_order() -> None:
    documents = yaml_documents("a: {x: 1}\n---\nb: 2\n---\na: 3\n", "hp")
    assert merged(documents, "hp") == {"a": 3, "b": 2}


def test_an_alias_is_followed() -> None:
    assert read("a: &x [1, 2]\nb: *x") == {"a": [1, 2], "b": [1, 2]}


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(CheckpointError, match="holds more than 20000 values"):
        read("\n".join(lines))


def test_an_alias_to_itself_is_refused() -> None:
    with pytest.raises(CheckpointError, match="nested deeper"):
        read("a: &a [*a]")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1, 2", "not readable as YAML"),
        ("[" * 3000, "not readable as YAML|nested deeper"),
        ("a: \x00", "not readable as YAML"),
        ("- 1\n- 2\n", "holds no named values"),
        ("", "holds no named values"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "config.yml").write_text(text)
    with pytest.raises(CheckpointError, match=words):
        YamlConfig(tmp_path / "config.yml")


def test_endless_digits_are_text() -> None:
    assert read("a: " + "9" * 5000) == {"a": "9" * 5000}


def test_a_file_that_is_no_text_or_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CheckpointError, match="is not text"):
        YamlConfig(path)
    path.write_text("a: 1\n" * 300_000)
    with pytest.raises(CheckpointError, match="larger than 1 MB"):
        YamlConfig(path)


@pytest.mark.parametrize("kind", [JsonConfig, YamlConfig])
def test_a_pipe_is_refused_instead_of_waited_for(
    tmp_path: Path, kind: type[JsonConfig] | type[YamlConfig]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(CheckpointError, match=r"is no ordinary file\. Name the configuration"):
            kind(path)
