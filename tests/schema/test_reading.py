"""Strict YAML and the sentences a refused document is told."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthhost.core.errors import ConfigError
from synthhost.schema.preset import Preset
from synthhost.schema.reading import read_text
from synthhost.schema.sentences import config_error, dotted
from synthhost.schema.set import Set
from synthhost.schema.strict_yaml import MAX_DEPTH, MAX_TEXT_BYTES, MAX_VALUES, dump_yaml, parse_yaml

HEADERS = ("", "synthhost: preset/1\n", "synthhost: set/1\n")
YAML_LETTERS = st.text(alphabet="ab01:-[]{},#&*!|>'\"%@`~<=?.\\\n\t \ufeff\x85\u2028é", max_size=60)
YAML_WORDS = st.sampled_from(
    ["", "no", "true", "~", "1e3", "0x1", "1_0", "1:30", "<<", "a: b", "- a", "#", "a\nb\n"]
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        parse_yaml(text, "pad.yaml")
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("no", "no"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("true", True),
        ("~", None),
        ("'5'", "5"),
        ("+.inf", math.inf),
        ("-.INF", -math.inf),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    read = parse_yaml(f"key: {text}", "pad.yaml")["key"]
    assert read == value
    assert type(read) is type(value)


def test_not_a_number_is_read_as_such_for_the_schema_to_refuse() -> None:
    assert math.isnan(parse_yaml("key: .nan", "pad.yaml")["key"])


def test_keys_are_always_text() -> None:
    assert parse_yaml("{1: a, true: b, ~: c}", "pad.yaml") == {"1": "a", "true": "b", "~": "c"}


def test_syntax_errors_name_their_line() -> None:
    assert refused("name: pad\nchain: [\ngain_db: 1").startswith("pad.yaml: line 3, column ")


def test_aliases_are_refused() -> None:
    assert refused("a: &x [1]\nb: *x") == (
        "pad.yaml: line 2, column 4: aliases (*name) are not used here: write the value out."
    )


def test_an_alias_bomb_is_refused_at_its_first_alias() -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert "line 2" in refused("\n".join(["l0: &l0 [x]", *levels]))


def test_merge_keys_are_plain_keys() -> None:
    assert parse_yaml("<<: {a: 1}", "pad.yaml") == {"<<": {"a": 1}}


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system [ls]", "!!binary aGk=", "!!int x", "!own a"]
)
def test_tags_are_refused(tag: str) -> None:
    assert "tags" in refused(f"key: {tag}")


def test_doubled_keys_are_refused_at_any_depth() -> None:
    assert refused("a:\n  b: 1\n  b: 2") == "pad.yaml: line 3, column 3: 'b' stands here twice: keep one."


def test_a_list_as_key_is_refused() -> None:
    assert "a key must be a word" in refused("[a]: 1")


def test_several_documents_are_refused() -> None:
    assert "line 2" in refused("a: 1\n---\nb: 1")


def test_depth_is_bounded() -> None:
    assert "nested deeper" in refused("[" * 5000)
    assert parse_yaml("[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1), "pad.yaml") is not None


def test_the_number_of_values_is_bounded() -> None:
    assert f"more than {MAX_VALUES} values" in refused(f"[{'1,' * (MAX_VALUES + 1)}]")


def test_size_is_bounded() -> None:
    assert "larger than 1 MB" in refused("a" * (MAX_TEXT_BYTES + 1))
    assert "larger than 1 MB" in refused("é" * (MAX_TEXT_BYTES // 2 + 1))


def test_numbers_of_absurd_length_are_refused() -> None:
    assert "line 1" in refused("a: " + "9" * 5000)
    assert "line 1" in refused("a: 0x" + "f" * 5000)


def test_half_a_surrogate_pair_is_refused() -> None:
    assert "surrogate" in refused('a: "\\ud800"')


PRINTED = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=12) | YAML_WORDS
PRINTABLE = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.floats() | PRINTED,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PRINTED, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(PRINTED, PRINTABLE, max_size=4))
def test_dumped_values_are_read_back_the_same(plain: dict[str, Any]) -> None:
    assert repr(parse_yaml(dump_yaml(plain), "pad.yaml")) == repr(plain)


@given(text=st.text(max_size=80) | YAML_LETTERS, header=st.sampled_from(HEADERS))
def test_any_text_is_read_or_refused_with_a_sentence(text: str, header: str) -> None:
    for kind in (Preset, Set):
        with pytest.raises(ConfigError, match=r"^pad\.yaml: "):
            kind.from_yaml(header + text, "pad.yaml")


@given(plain=PLAIN)
def test_any_plain_value_is_read_or_refused_with_a_sentence(plain: Any) -> None:
    for kind in (Preset, Set):
        with pytest.raises(ConfigError, match=r"^journal: "):
            kind.from_json(plain, "journal")


@given(raw=st.binary(max_size=200))
def test_any_file_is_read_or_refused_with_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError, match=r"any\.yaml: "):
        Preset.from_yaml(read_text(path), str(path))


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pad\.yaml: cannot be read \(No such file or directory\)"):
        read_text(tmp_path / "pad.yaml")


def test_a_folder_is_refused_as_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a file"):
        read_text(tmp_path)


def test_a_path_with_a_nul_letter_is_a_sentence() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_text(Path("pad\0.yaml"))


def test_a_file_over_the_bound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pad.yaml"
    path.write_bytes(b"#" * (MAX_TEXT_BYTES + 1))
    with pytest.raises(ConfigError, match="larger than 1 MB"):
        read_text(path)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pad.yaml"
    path.write_bytes(b"name: caf\xe9")
    with pytest.raises(ConfigError, match="byte 9 is not UTF-8"):
        read_text(path)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "pad.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: a")
    assert read_text(path) == "name: a"


def test_places_are_dotted() -> None:
    assert (
        dotted(("tracks", 1, "preset", "<inline>", "chain", 0, "params"))
        == "tracks[1].preset.chain[0].params"
    )


def test_only_the_first_problems_are_told() -> None:
    lines = str(config_error("pad.yaml", [f"problem {n}." for n in range(100)])).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "pad.yaml: and 80 more."
