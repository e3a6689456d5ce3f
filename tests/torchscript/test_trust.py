"""Claims about programs in files: none runs unless its very bytes were allowed, whatever the file does."""

from __future__ import annotations

import io
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from synthhost.checkpoints import programs
from synthhost.checkpoints.package import load_package
from synthhost.checkpoints.programs import TrustList, is_program, load_module, nothing, read_program
from synthhost.checkpoints.reading import read_checkpoint
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.library.shelves import import_model, load_found, load_model, trust_model, trusted_programs

REFUSED = r"TorchScript program.*not run.*--allow-code.*allow_code=True"


@pytest.fixture
def rated(make: Callable[[str], Path]) -> Path:
    return make("Rated")


@pytest.fixture
def bait(make: Callable[[str], Path], tmp_path: Path) -> Path:
    """A program that writes `owned` when it is loaded; nothing has loaded it since it was made."""
    path = make("Bait")
    (tmp_path / "owned").unlink(missing_ok=True)
    return path


def test_the_bait_bites_where_it_is_loaded_plainly(bait: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.load(bait)
    assert (tmp_path / "owned").exists()


@pytest.mark.parametrize("read", [load_model, load_found, import_model, read_checkpoint])
def test_a_program_nobody_allowed_runs_nothing(
    bait: Path, tmp_path: Path, read: Callable[[Path], object]
) -> None:
    with pytest.raises(CheckpointError, match=REFUSED):
        read(bait)
    assert not (tmp_path / "owned").exists()
    assert not (tmp_path / "home").exists()


def test_the_suffix_does_not_matter(bait: Path, tmp_path: Path) -> None:
    for name in ("model.pt", "g_00000001", "model.safetensors"):
        shutil.copy(bait, tmp_path / name)
        with pytest.raises(CheckpointError, match=REFUSED):
            load_model(tmp_path / name)
    assert not (tmp_path / "owned").exists()


def test_a_program_that_was_allowed_does_run(bait: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no 'decode'"):
        import_model(bait, allow_code=True)
    assert (tmp_path / "owned").exists()
    assert not trusted_programs().path.exists()  # what cannot be played is not trusted either


def test_allowing_once_is_not_remembered(rated: Path) -> None:
    assert load_model(rated, allow_code=True).spec.bands == 3
    with pytest.raises(CheckpointError, match=REFUSED):
        load_model(rated)


def test_an_import_allows_the_bytes_wherever_they_lie(rated: Path, tmp_path: Path) -> None:
    folder = import_model(rated, name="codec", allow_code=True)
    shutil.copy(rated, tmp_path / "elsewhere.ts")
    shutil.copytree(folder, tmp_path / "copied")
    for place in ("codec", rated, tmp_path / "elsewhere.ts", tmp_path / "copied"):
        assert load_model(place).spec.bands == 3


def test_one_changed_byte_is_refused_at_the_allowed_path(rated: Path) -> None:
    import_model(rated, name="codec", allow_code=True)
    content = bytearray(rated.read_bytes())
    content[len(content) // 2] ^= 1
    rated.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match=REFUSED):
        load_model(rated)


def test_a_changed_program_in_a_model_folder_is_refused(rated: Path, bait: Path, tmp_path: Path) -> None:
    folder = import_model(rated, name="codec", allow_code=True)
    shutil.copy(bait, folder / "model.ts")
    with pytest.raises(CheckpointError, match=r"sha256 .*changed or damaged and was not run"):
        load_model("codec")
    manifest = (folder / "manifest.yaml").read_text()
    was, now = trusted_sha256(), read_program(bait).sha256
    (folder / "manifest.yaml").write_text(manifest.replace(was, now))  # a stranger rewrites both
    with pytest.raises(CheckpointError, match=r"did not allow to run; it was not run.*models trust"):
        load_model("codec")
    assert not (tmp_path / "owned").exists()


def trusted_sha256() -> str:
    return trusted_programs().path.read_text().splitlines()[-1][:64]


def test_a_model_folder_from_elsewhere_is_allowed_by_name_of_its_bytes(rated: Path, tmp_path: Path) -> None:
    folder = import_model(rated, name="codec", allow_code=True)
    trusted_programs().path.unlink()
    with pytest.raises(CheckpointError, match=r"did not allow.*synthhost models trust"):
        load_model("codec")
    with pytest.raises(CheckpointError, match="did not allow"):
        load_package(folder)
    assert load_model("codec", allow_code=True).spec.bands == 3
    trust_model("codec")
    assert load_model("codec").spec.bands == 3


def test_trusting_runs_nothing(bait: Path, tmp_path: Path) -> None:
    trust_model(bait)
    assert not (tmp_path / "owned").exists()


def test_only_programs_can_be_trusted(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match="no TorchScript file"):
        trust_model(tmp_path / "weights.pt")


def test_what_is_loaded_is_what_was_hashed(rated: Path, bait: Path, tmp_path: Path) -> None:
    program = read_program(rated)
    shutil.copy(bait, rated)  # changed between reading and loading
    assert load_module(program, program.sha256.__eq__).get_methods() == ["decode", "forward"]
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
def test_a_cut_program_is_refused_and_never_loaded(
    rated: Path, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rated.read_bytes()
    rated.write_bytes(whole[: int(len(whole) * share)])
    monkeypatch.setattr(torch.jit, "load", None)
    for allow_code in (False, True):
        with pytest.raises(CheckpointError, match="damaged or cut short"):
            load_model(rated, allow_code=allow_code)


def test_a_corrupted_program_is_read_or_refused_but_never_crashes(rated: Path) -> None:
    whole = rated.read_bytes()
    refusals = []
    for place in range(7, len(whole), len(whole) // 24):
        rated.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            load_model(rated, allow_code=True)
        except CheckpointError as error:
            refusals.append(str(error))
    assert len(refusals) > 5
    assert all(refusal.startswith(f"{rated}: ") for refusal in refusals)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "m.ts", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/constants.pkl", b"\x80\x02).")
        archive.writestr("m/data/0", bytes(20_000_000))
    monkeypatch.setattr(torch.jit, "load", None)
    with pytest.raises(CheckpointError, match=r"would unpack to 20000\d+"):
        load_model(tmp_path / "m.ts", allow_code=True)


def test_a_program_with_no_sense_inside_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.ts", "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02}q\x00.")
        archive.writestr("m/constants.pkl", b"\x80\x02).")
    with pytest.raises(CheckpointError, match=r"m\.ts: the TorchScript program cannot be loaded"):
        load_model(tmp_path / "m.ts", allow_code=True)


def test_what_is_no_zip_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello")
    assert not any(is_program(tmp_path / name) for name in ("empty", "text", "missing", "."))


def test_a_program_over_the_limit_is_refused(rated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthhost.checkpoints.reading.MAX_FILE_BYTES", 1000)
    with pytest.raises(CheckpointError, match="are read"):
        load_model(rated, allow_code=True)


def test_a_list_keeps_what_it_had_and_forgets_what_is_taken_out(tmp_path: Path) -> None:
    kept = TrustList(tmp_path / "deep" / "trusted.txt")
    assert not kept.holds("a" * 64)
    kept.add("a" * 64, "one\nsecond line")
    kept.add("b" * 64, "two")
    kept.add("a" * 64, "one")
    assert kept.holds("a" * 64)
    assert kept.holds("b" * 64)
    text = kept.path.read_text()
    assert text.count("\n") == 3
    kept.path.write_text(text.replace("a" * 64, "#"))
    assert not kept.holds("a" * 64)
    assert not list(kept.path.parent.glob("*.partial"))


@pytest.mark.parametrize("line", ["a" * 63, "A" * 64, "a" * 65, f"x {'a' * 64}", f"#{'a' * 64}", ""])
def test_a_line_that_is_no_sha256_allows_nothing(tmp_path: Path, line: str) -> None:
    (tmp_path / "trusted.txt").write_text(f"{line}\n")
    listed = TrustList(tmp_path / "trusted.txt")
    assert not any(listed.holds(asked) for asked in ("a" * 64, line, "", "#"))


def test_a_list_that_cannot_be_written_or_read_allows_nothing(rated: Path, tmp_path: Path) -> None:
    (tmp_path / "home" / "trusted.txt").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"trusted\.txt: cannot be written.*not allowed yet"):
        import_model(rated, name="codec", allow_code=True)
    with pytest.raises(CheckpointError, match="did not allow"):
        load_model("codec")


def test_without_a_word_nothing_is_allowed(rated: Path) -> None:
    assert not nothing(read_program(rated).sha256)
    assert programs.load_module.__defaults__ == ("",)
    with pytest.raises(CheckpointError, match=REFUSED):
        load_module(read_program(rated), nothing)


def test_a_whole_file_is_what_is_hashed(rated: Path) -> None:
    padded = rated.read_bytes()
    with zipfile.ZipFile(io.BytesIO(padded)) as archive:
        assert "rated/constants.pkl" in archive.namelist()
    import_model(rated, name="codec", allow_code=True)
    rated.write_bytes(padded + bytes(1))
    with pytest.raises(CheckpointError):
        load_model(rated)
