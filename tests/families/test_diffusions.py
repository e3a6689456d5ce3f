"""What holds for every diffusion: one exact stream in any chunking, chance by seed and place, options."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.checkpoints.layout import ReadModel
from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import Package, manifest_for
from synthhost.core.draws import SeededDraws, TapeDraws
from synthhost.core.errors import ConfigError
from synthhost.core.mel_conventions import MEL_CONVENTIONS
from synthhost.core.note_frames import measuring_frames
from synthhost.core.specs import MelSpec
from synthhost.families.note_input import NoteInput
from synthhost.families.registry import family
from synthhost.library.disturbance import look_ahead_by_disturbance
from synthhost.library.inexact import window_error
from synthhost.library.model import Model, model_from
from synthhost.streaming.timing import burst_samples

DIFFWAVE: dict[str, Any] = {
    "variant": "lmnt",
    "bands": 0,
    "hop_samples": 8,
    "residual_channels": 4,
    "skip_channels": 4,
    "residual_layers": 4,
    "dilation_cycle_length": 3,
    "step_channels": [8, 6, 10],
    "training_betas": {"first": 1e-4, "last": 0.05, "count": 50},
    "fast_betas": [1e-4, 0.01, 0.5],
}
WAVEGRAD: dict[str, Any] = {
    "variant": "lmnt",
    "bands": 5,
    "factors": [5, 3, 2],
    "mel_channels": 6,
    "up_channels": [4, 6, 4],
    "up_dilations": [[1, 2, 1, 2], [1, 2, 1, 2], [1, 2, 4, 8]],
    "down_channels": [4, 6, 4],
    "down_dilations": [[1, 2, 4], [1, 2]],
    "training_betas": {"first": 1e-6, "last": 0.01, "count": 1000},
}
NOTES: dict[str, Any] = {
    "sample_rate": 22050,
    "hop_samples": 12,
    "dimensions": 2,
    "release_s": 0.1,
    "lowest": 40.0,
    "highest": 80.0,
    "voices": 2,
    "harmonics": 9,
    "hidden": 11,
    "width": 4,
    "settled_s": 1.0,
}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "diffwave-lmnt": ("diffwave", DIFFWAVE),
    "diffwave-lmnt-mel": ("diffwave", {**DIFFWAVE, "bands": 5, "hop_samples": 256}),
    "diffwave-notes": (
        "diffwave",
        {
            **DIFFWAVE,
            "bands": NoteInput.from_json(NOTES).notes.bands,
            "hop_samples": NOTES["hop_samples"],
            "notes": NOTES,
            "emphasis": {"coefficient": 0.9, "gain": 3.0},
        },
    ),
    "diffwave-philsyn": ("diffwave", {**DIFFWAVE, "variant": "philsyn", "skip_channels": 3}),
    "wavegrad-lmnt": ("wavegrad", WAVEGRAD),
    "wavegrad-notes": (
        "wavegrad",
        {
            **WAVEGRAD,
            "bands": NoteInput.from_json(NOTES).notes.bands,
            "factors": [3, 2, 2],
            "notes": NOTES,
            "emphasis": {"coefficient": 0.5, "gain": 2.0},
        },
    ),
    "wavegrad-ivanvovk": ("wavegrad", {**WAVEGRAD, "variant": "ivanvovk"}),
}
NAMES = list(MODELS)
AHEAD = [name for name in NAMES if not name.endswith("notes")]  # what plays notes looks at nothing ahead
STEPS = 3


def mel_spec(bands: int, hop: int) -> MelSpec:
    published = MEL_CONVENTIONS["lmnt"].published
    return MelSpec("lmnt", 22050, 1024, hop, 4 * hop, bands, 20.0, 11025.0, published.log, published.floor)


@cache
def package(name: str) -> Package:
    kind, hyper = MODELS[name]
    shapes = family(kind).tensor_names(family(kind).hyper_from_json(hyper))
    torch.manual_seed(7)
    tensors = {name: torch.randn(shape) / np.sqrt(np.prod(shape[1:])) for name, shape in shapes.items()}
    last = "output_projection.weight" if kind == "diffwave" else "last_conv.weight"
    tensors[last] *= 0.3 if name in AHEAD else 0.1  # so that what is clamped shows something
    parsed = family(kind).hyper_from_json(hyper)
    mel = mel_spec(parsed.bands, parsed.hop_samples) if parsed.bands and name in AHEAD else None
    read = ReadModel("test", kind, parsed.as_json(), mel, tensors, 22050)
    return Package(manifest_for(read, Origin("small", "CC0", "test"), "0" * 64), tensors)


@cache
def model(name: str) -> Model:
    return model_from(package(name), {"steps": STEPS})


def frames_of(name: str, count: int, seed: int = 1) -> np.ndarray:
    bands, notes = model(name).spec.bands, model(name).spec.notes
    if notes is not None:
        return measuring_frames(notes, NOTES["sample_rate"], NOTES["hop_samples"], max(count, 1))[:, :count]
    return np.random.default_rng(seed).standard_normal((bands, count)).astype(np.float32)


def streamed(name: str, frames: np.ndarray, cuts: list[int], seed: int = 0, **controls: float) -> np.ndarray:
    stream = model(name).stream(seed=seed)
    for control, value in controls.items():
        stream.set_control(control, value)
    pieces = np.split(frames, np.cumsum(cuts), axis=1)
    return np.concatenate([*(stream.push(piece) for piece in pieces), stream.flush()])


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, atol=2e-5 * max(1.0, np.abs(expected).max()), rtol=0)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=5)
@given(cuts=st.lists(st.integers(0, 5), max_size=6), rest=st.integers(1, 5))
def test_any_chunking_gives_the_same_samples(name: str, cuts: list[int], rest: int) -> None:
    frames = frames_of(name, sum(cuts) + rest)
    whole = streamed(name, frames, [])
    assert whole.shape == (frames.shape[1] * model(name).spec.hop_samples,)
    assert_same(streamed(name, frames, cuts), whole)


@pytest.mark.parametrize("name", NAMES)
def test_the_stream_is_the_offline_pass(name: str) -> None:
    frames = frames_of(name, 7)
    playable: Any = model(name).playable
    with torch.inference_mode():
        offline = playable(torch.from_numpy(frames)[None])[0, 0].numpy()
    assert_same(streamed(name, frames, [2, 3]), offline)


@pytest.mark.parametrize("name", NAMES)
def test_look_ahead_is_derived_and_found_by_disturbing(name: str) -> None:
    assert model(name).spec.look_ahead_samples == look_ahead_by_disturbance(model(name))
    assert burst_samples(model(name).playable.timed) == 0


def test_what_plays_notes_looks_at_nothing_ahead_in_any_number_of_steps() -> None:
    for name in set(NAMES) - set(AHEAD):
        for steps in (1, 4):
            assert model(name).with_options(steps=steps).spec.look_ahead_samples == 0


@pytest.mark.parametrize("name", AHEAD)
def test_each_step_adds_its_networks_reach(name: str) -> None:
    ahead = [model(name).with_options(steps=steps).spec.look_ahead_samples for steps in (1, 2, 3, 4)]
    assert ahead[3] - ahead[2] == ahead[2] - ahead[1] > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_copied_state_continues_as_the_first_would_have(name: str) -> None:
    runner, frames = model(name).runner, frames_of(name, 12)[None]
    hop, ahead = runner.spec.hop_samples, runner.spec.look_ahead_samples
    state, out = runner.new_state(1, SeededDraws.of(5)), np.empty((1, 12 * hop + ahead), np.float32)
    runner.step(frames[:, :, :6], state, out)
    copied, sounds = state.copy(), []
    for one in (state, copied):
        written = runner.step(frames[:, :, 6:], one, out)
        sounds.append(np.concatenate([out[0, :written], out[0, : runner.flush(one, out)]]))
    assert np.array_equal(*sounds)


@pytest.mark.parametrize("name", NAMES)
def test_three_voices_with_three_seeds_sound_as_three_alone(name: str) -> None:
    block: Any = model(name).playable
    frames = np.stack([frames_of(name, 5, seed) for seed in (1, 2, 3)]).transpose(0, 2, 1).copy()
    with torch.inference_mode():
        together = block.finish(torch.from_numpy(frames), block.new_state(3, SeededDraws((4, 5, 6))))
        for row, seed in enumerate((4, 5, 6)):
            alone = block.finish(
                torch.from_numpy(frames[row : row + 1]), block.new_state(1, SeededDraws.of(seed))
            )
            assert_same(together[row].numpy(), alone[0].numpy())


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_is_replayed_and_another_sounds_otherwise(name: str) -> None:
    frames = frames_of(name, 6)
    first = streamed(name, frames, [], seed=3)
    assert np.array_equal(streamed(name, frames, [], seed=3), first)
    assert np.abs(streamed(name, frames, [], seed=4) - first).max() > 1e-3

    def reseeded(value: float) -> np.ndarray:
        stream = model(name).stream(seed=3)
        stream.set_control("seed", value)
        return np.concatenate([stream.push(frames), stream.flush()])

    assert np.array_equal(reseeded(4.0), streamed(name, frames, [], seed=4))
    assert np.array_equal(reseeded(0.0), first)


@pytest.mark.parametrize("name", NAMES)
def test_no_temperature_leaves_no_chance(name: str) -> None:
    frames = frames_of(name, 6)
    silent = streamed(name, frames, [], seed=3, temperature=0.0)
    assert_same(streamed(name, frames, [2, 1], seed=4, temperature=0.0), silent)
    assert np.isfinite(silent).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_tape_takes_the_place_of_the_seed_row_by_row(name: str) -> None:
    samples = 6 * model(name).spec.hop_samples
    tape = SeededDraws.of(9)
    rows = np.concatenate([tape.normals(row, 0, samples) for row in range(STEPS)])
    stream = model(name).stream(draws=TapeDraws.of(rows, None))
    frames = frames_of(name, 6)
    assert_same(np.concatenate([stream.push(frames), stream.flush()]), streamed(name, frames, [], seed=9))
    assert model(name).runner.noise_streams == STEPS


@pytest.mark.parametrize("name", NAMES)
def test_a_change_of_temperature_holds_from_its_sample_on(name: str) -> None:
    frames = frames_of(name, 8)
    sounds = []
    for cuts in ([3, 1, 2], [3]):
        stream = model(name).stream(seed=2)
        pieces = np.split(frames, np.cumsum(cuts), axis=1)
        sound = [stream.push(pieces[0])]
        stream.set_control("temperature", 0.5)
        sounds.append(np.concatenate([*sound, *(stream.push(piece) for piece in pieces[1:]), stream.flush()]))
    assert_same(*sounds)


@pytest.mark.parametrize("name", NAMES)
def test_steps_and_schedules_are_options(name: str) -> None:
    frames, whole = frames_of(name, 3), model(name)
    own = len(DIFFWAVE["fast_betas"]) if name.startswith("diffwave") else 6
    wanted = [("fast", 0, own), ("fast", 5, 5), ("1e-4, 0.01, 0.1, 0.2", 0, 4), ("training", 7, 7)]
    for schedule, steps, made in wanted:
        other = whole.with_options(schedule=schedule, steps=steps)
        assert other.runner.noise_streams == made
    if whole.spec.bands:
        assert len(whole.render(frames, steps=2)) == 3 * whole.spec.hop_samples


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("0.1,-0.1", "beta 1 is -0.1; each must be a number above 0 and below 1"),
        ("0.1,nan", "beta 1 is nan"),
        ("0.1,1", "beta 1 is 1"),
        ("0.1,inf", "beta 1 is inf"),
        ("fats", "'fats' is no schedule. Write 'training', 'fast'"),
        ("", "is no schedule"),
        ("0.1,0.5,0.9,0.999", "outside the .* trained with"),
    ],
)
def test_what_is_no_schedule_is_refused_with_a_sentence(name: str, schedule: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        model(name).with_options(schedule=schedule, steps=0)


def test_less_noise_than_diffwave_ever_heard_is_refused_and_not_dropped() -> None:
    with pytest.raises(
        ConfigError, match=r"beta 0 \(1e-05\).* 0\.999995, outside the 0\.52884\d* to 0\.99995"
    ):
        model("diffwave-lmnt").with_options(schedule="1e-5,0.01", steps=0)
    assert model("wavegrad-lmnt").with_options(schedule="1e-7,0.01", steps=0).runner.noise_streams == 2


@pytest.mark.parametrize("name", AHEAD)
def test_a_window_hears_less_ahead_and_says_what_that_costs(name: str) -> None:
    exact, hop = model(name).spec.look_ahead_samples, model(name).spec.hop_samples
    at_once = window_error(model(name).with_options(window_samples=0), frames=5)
    assert (at_once.look_ahead_samples, at_once.exact_look_ahead_samples) == (0, exact)
    assert at_once.max_error > 1e-4
    assert at_once.snr_db < 90
    half = model(name).with_options(mode="window", window_samples=exact // 2)
    assert half.spec.look_ahead_samples == exact // 2 // hop * hop
    whole = window_error(model(name).with_options(window_samples=exact + hop), frames=5)
    assert (whole.max_error, whole.snr_db) == (0.0, np.inf)


def test_a_window_is_the_same_in_any_chunking() -> None:
    bounded = model("wavegrad-lmnt").with_options(mode="window", window_samples=30)
    frames = frames_of("wavegrad-lmnt", 6)
    sounds = []
    for cuts in ([], [1, 2], [3, 0, 2]):
        stream = bounded.stream(seed=1)
        pieces = np.split(frames, np.cumsum(cuts), axis=1)
        sounds.append(np.concatenate([*(stream.push(piece) for piece in pieces), stream.flush()]))
    assert_same(sounds[1], sounds[0])
    assert_same(sounds[2], sounds[0])


@pytest.mark.parametrize("name", NAMES)
def test_steps_share_their_weights(name: str) -> None:
    few, many = (model(name).with_options(steps=steps).playable for steps in (1, 4))
    assert sum(p.numel() for p in few.parameters()) == sum(p.numel() for p in many.parameters())
    assert len(many.nodes) > 3 * len(few.nodes)


@pytest.mark.parametrize("name", NAMES)
def test_a_manifest_reads_its_numbers_back(name: str) -> None:
    kind, hyper = MODELS[name]
    parsed = family(kind).hyper_from_json(hyper)
    assert family(kind).hyper_from_json(parsed.as_json()) == parsed
