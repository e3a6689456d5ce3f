"""Sound comes nearer to mel frames round by round, in any pieces; native as torch; nothing breaks it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

from synthhost.backends.plan import native_refusal
from synthhost.backends.torch_runner import TorchRunner
from synthhost.core.draws import SeededDraws
from synthhost.core.seams import Runner
from synthhost.core.specs import MelSpec, ModelSpec
from synthhost.features.filter_bank import filter_bank
from synthhost.features.mel import mel_spectrogram
from synthhost.native.compiled import why_missing
from synthhost.streaming.mel_fit import LOUDEST, MelFit, fading_windows
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.stacking import Unstack
from synthhost.streaming.timing import look_ahead_samples

RATE, HOP, BANDS, FRAMES = 16000, 64, 20, 60
MEL = MelSpec("jik876", RATE, 256, HOP, 256, BANDS, 0.0, 8000.0, "ln", 1e-5)
BOUND = 2e-3  # of the peak: logarithms of what is nearly silent round apart, and rounds add up


def fit(rounds: int = 3, spec: MelSpec = MEL) -> MelFit:
    return MelFit(filter_bank(spec), spec.hop_samples, spec.floor, rounds)


def sounding(block: MelFit) -> Sequence:
    """Return what makes rows into sound."""
    return Sequence({"fit": block, "sound": Unstack(block.hop, block.made_channels)})


def noise(seed: int = 0) -> np.ndarray:
    """Return noise that swells."""
    made = 0.05 * np.random.default_rng(seed).standard_normal(FRAMES * HOP)
    return (made * (1.2 + np.sin(np.arange(made.size) / 300.0))).astype(np.float32)


def tone() -> np.ndarray:
    """Return a tone of four harmonics that falls silent and comes back."""
    place = np.arange(FRAMES * HOP) / RATE
    made = sum(np.sin(2.0 * np.pi * 500.0 * k * place) / k for k in range(1, 5))
    return (0.2 * made * (np.sin(2.0 * np.pi * 6.0 * place) > -0.5)).astype(np.float32)


def rows_of(wanted: np.ndarray, sound: np.ndarray, spec: MelSpec = MEL) -> np.ndarray:
    """Return `[1, bands + hop, frames]`: frames of one sound beside another."""
    return np.concatenate((mel_spectrogram(wanted, spec), sound.reshape(-1, spec.hop_samples).T))[None]


def missed(sound: np.ndarray, wanted: np.ndarray) -> float:
    """Return the mean difference of log mel bands in nats."""
    return float(np.abs(mel_spectrogram(sound, MEL) - mel_spectrogram(wanted, MEL)).mean())


def test_every_round_comes_nearer_to_the_frames() -> None:
    wanted = tone() + 0.1 * noise(1)
    made = noise(2)
    apart = [missed(made, wanted)]
    for rounds in (1, 2, 4):
        fitted = sounding(fit(rounds))(torch.from_numpy(rows_of(wanted, made)))[0, 0].numpy()
        apart.append(missed(fitted, wanted))
    assert apart == sorted(apart, reverse=True)
    assert apart[1] < 0.5 * apart[0]
    assert apart[3] < 0.25 * apart[0]


def test_sound_that_fits_keeps_its_level_and_its_bands() -> None:
    wanted = tone() + 0.1 * noise(1)
    fitted = sounding(fit())(torch.from_numpy(rows_of(wanted, wanted)))[0, 0].numpy()
    level = np.sqrt(np.mean(fitted**2) / np.mean(wanted**2))
    assert abs(20.0 * np.log10(level)) < 0.2
    assert missed(fitted, wanted) < 0.3 < 0.2 * missed(noise(2), wanted)


def test_a_constant_offset_of_what_was_made_is_gone() -> None:
    wanted = 0.3 * noise(1)
    fitted = sounding(fit())(torch.from_numpy(rows_of(wanted, noise(2) + 0.1)))[0, 0].numpy()
    inner = fitted[4 * HOP : -4 * HOP]
    assert abs(inner.mean()) < 0.05 * inner.std()


def test_hops_meet_without_an_edge() -> None:
    place = np.arange(FRAMES * HOP) / RATE
    wanted = (0.3 * np.sin(2.0 * np.pi * 500.0 * place)).astype(np.float32)
    own = (0.1 * np.sin(2.0 * np.pi * 503.0 * place)).astype(np.float32)
    fitted = sounding(fit())(torch.from_numpy(rows_of(wanted, own)))[0, 0].numpy()[8 * HOP : -8 * HOP]
    spectrum = np.abs(np.fft.rfft(fitted * np.blackman(fitted.size))) ** 2
    hertz = np.fft.rfftfreq(fitted.size, 1.0 / RATE)
    assert spectrum[hertz > 3000.0].sum() < 1e-8 * spectrum.sum()  # with edges it is 3e-7


def test_the_pitch_is_that_of_the_sound_and_not_of_the_frames() -> None:
    place = np.arange(FRAMES * HOP) / RATE
    own = np.sin(2.0 * np.pi * 510.0 * place).astype(np.float32)
    frames = np.sin(2.0 * np.pi * 500.0 * place).astype(np.float32)
    fitted = sounding(fit())(torch.from_numpy(rows_of(0.3 * frames, own)))[0, 0].numpy()
    spectrum = np.abs(np.fft.rfft(fitted * np.hanning(fitted.size), 1 << 16))
    assert np.argmax(spectrum) * RATE / (1 << 16) == pytest.approx(510.0, abs=1.5)


def test_a_row_waits_for_as_many_frames_as_reach_into_it_and_for_no_more() -> None:
    block = fit()
    assert block.reach == 2
    x = torch.from_numpy(rows_of(tone(), noise())).transpose(1, 2)
    base = block.step(x, block.new_state())
    assert base.shape[1] == FRAMES - 2 == block.ready(FRAMES)
    changed = x.clone()
    changed[:, 30, :BANDS] += 1.0
    moved = (block.step(changed, block.new_state()) - base)[0, :, :HOP].abs().amax(1) > 0.0
    assert not moved[:28].any()
    assert moved[28]


def test_pieces_are_the_whole_to_the_last_sample() -> None:
    block, x = fit(), torch.from_numpy(rows_of(tone(), noise())).transpose(1, 2)
    x = torch.cat((x, x.flip(1)))
    whole = block.finish(x, block.new_state(2))
    assert whole.shape == (2, FRAMES, 3 * HOP)
    assert torch.equal(block(x.transpose(1, 2)).transpose(1, 2), whole)
    for cuts in ([1] * FRAMES, [2, 0, 1, 40, 17], [FRAMES - 1, 1]):
        state = block.new_state(2)
        made = [block.step(one, state) for one in torch.split(x, cuts, dim=1)]
        assert torch.equal(torch.cat((*made, block.flush(state)), 1), whole)


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_streams_shorter_than_a_window_have_all_their_samples(frames: int) -> None:
    x = torch.from_numpy(rows_of(tone(), noise())[:, :, :frames])
    made = sounding(fit())(x)
    assert made.shape == (1, 1, frames * HOP)
    assert made.isfinite().all()
    assert made.abs().max() > 0.0


def test_what_is_no_number_shows_where_it_reaches_and_is_silence_later() -> None:
    block = fit()
    x = torch.from_numpy(rows_of(tone(), noise()))
    clean = block(x)
    x[0, 3, 20], x[0, BANDS + 5, 28] = torch.nan, torch.nan
    made = block(x)[0, :HOP]
    touched = made.isnan().any(0)
    assert touched.nonzero().flatten().tolist() == [18, 19, 20, 21, 22, 26]
    assert torch.equal(made[:, :18], clean[0, :HOP, :18])
    assert (made - clean[0, :HOP])[:, 45:].abs().max() < 0.05 * float(clean.abs().max())


def test_what_is_beyond_all_measure_stays_bounded() -> None:
    x = torch.from_numpy(rows_of(tone(), noise()))
    x[0, 3, 21], x[0, :BANDS, 23], x[0, BANDS:, 24] = torch.inf, 1e30, -1e30
    x[0, :BANDS, 26], x[0, BANDS:, 27] = -torch.inf, torch.inf
    made = fit()(x)
    assert made.isfinite().all()
    assert made.abs().max() <= LOUDEST


def test_windows_end_where_sound_does_and_the_last_is_whole() -> None:
    windows = fading_windows(256, 64)
    assert [int(np.flatnonzero(one)[-1]) + 1 for one in windows] == [160, 224, 256]
    np.testing.assert_allclose(windows[-1], np.hanning(257)[:-1], atol=1e-12)
    assert np.abs(np.diff(windows)).max() < 0.04  # nothing ends abruptly


@pytest.mark.skipif(bool(why_missing()), reason=f"native code: {why_missing()}")
@pytest.mark.parametrize("hop", [64, 96, 128, 40])
def test_native_is_torch_in_any_pieces(hop: int) -> None:
    spec = MelSpec("jik876", RATE, 256, hop, 256, BANDS, 0.0, 8000.0, "ln", 1e-5)
    block = sounding(fit(3, spec))
    model = ModelSpec("t", "hifigan", RATE, hop, BANDS + hop, look_ahead_samples(block), 0, None, "0" * 64)
    native = import_module("synthhost.backends.native_runner").NativeRunner(model, block)
    frames = FRAMES * HOP // hop
    wanted, sound = tone()[: frames * hop], noise()[: frames * hop]
    x = rows_of(wanted + 0.01 * sound, sound, spec)
    x[0, 5, 6], x[0, BANDS + 3, 15], x[0, 2, 18], x[0, 4, 19] = np.nan, np.nan, 50.0, np.inf
    whole = played(native, x, [frames])
    oracle = played(TorchRunner(model, block), x, [frames])
    assert whole.shape == (frames * hop,)
    assert np.isnan(oracle).any()
    np.testing.assert_allclose(whole, oracle, rtol=0.0, atol=BOUND * np.nanmax(np.abs(oracle)))
    for cuts in ([1] * frames, [3, 0, 20, frames - 23], [frames - 1, 1]):
        assert np.array_equal(played(native, x, cuts), whole, equal_nan=True)


@pytest.mark.skipif(bool(why_missing()), reason=f"native code: {why_missing()}")
@pytest.mark.parametrize(("n_fft", "hop"), [(64, 10), (64, 16), (128, 62), (512, 128), (16, 14)])
def test_native_is_torch_in_streams_of_a_few_frames_and_in_two_voices(n_fft: int, hop: int) -> None:
    spec = MelSpec("jik876", RATE, n_fft, hop, n_fft, 6, 0.0, 8000.0, "ln", 1e-5)
    block = sounding(fit(2, spec))
    model = ModelSpec("t", "hifigan", RATE, hop, 6 + hop, look_ahead_samples(block), 0, None, "0" * 64)
    native = import_module("synthhost.backends.native_runner").NativeRunner(model, block)
    oracle = TorchRunner(model, block)
    rng = np.random.default_rng(n_fft)
    for frames in range(1, 9):
        x = rng.standard_normal((2, 6 + hop, frames)).astype(np.float32)
        x[:, :6] -= 4.0
        made, wanted = (together(runner, x) for runner in (native, oracle))
        assert made.shape == (2, frames * hop)
        np.testing.assert_allclose(made, wanted, rtol=0.0, atol=BOUND * np.abs(wanted).max())
        one_by_one = [played(native, x[voice : voice + 1], [1] * frames) for voice in range(2)]
        assert np.array_equal(made, np.stack(one_by_one))


def test_no_power_of_two_is_left_to_torch() -> None:
    spec = MelSpec("jik876", RATE, 192, HOP, 192, BANDS, 0.0, 8000.0, "ln", 1e-5)
    assert native_refusal(sounding(fit(1, spec))) == "a fit over 192 samples, no power of two,"


@pytest.mark.skipif(bool(why_missing()), reason=f"native code: {why_missing()}")
def test_a_copied_native_state_has_the_same_future() -> None:
    block = sounding(fit())
    model = ModelSpec("t", "hifigan", RATE, HOP, BANDS + HOP, look_ahead_samples(block), 0, None, "0" * 64)
    native = import_module("synthhost.backends.native_runner").NativeRunner(model, block)
    x = rows_of(tone(), noise())
    state, out = native.new_state(1, SeededDraws.of(0)), np.empty((1, FRAMES * HOP), np.float32)
    native.step(np.ascontiguousarray(x[:, :, :33]), state, out)
    copied = state.copy()
    rest = [
        played(native, np.ascontiguousarray(x[:, :, 33:]), [20, FRAMES - 53], one) for one in (state, copied)
    ]
    assert np.array_equal(*rest)
    assert np.array_equal(rest[0], played(native, x, [FRAMES])[31 * HOP :])


def together(runner: Runner, frames: np.ndarray) -> np.ndarray:
    """Play `[voices, channels, frames]` whole; `[voices, samples]`."""
    state = runner.new_state(2, SeededDraws((0, 1)))
    out = np.empty((2, (frames.shape[2] + 4) * runner.spec.hop_samples), np.float32)
    begun = runner.step(np.ascontiguousarray(frames), state, out)
    sounds = [out[:, :begun].copy()]
    ended = runner.flush(state, out)
    return np.concatenate([*sounds, out[:, :ended]], 1)


def played(runner: Runner, frames: np.ndarray, cuts: list[int], state: Any = None) -> np.ndarray:
    """Play `[1, channels, frames]` in pieces to its end; `[samples]`."""
    state = state or runner.new_state(1, SeededDraws.of(0))
    hop = runner.spec.hop_samples
    sounds, first = [], 0
    for count in cuts:
        out = np.empty((1, (count + 4) * hop), np.float32)
        written = runner.step(np.ascontiguousarray(frames[:, :, first : first + count]), state, out)
        sounds.append(out[0, :written].copy())
        first += count
    out = np.empty((1, 8 * hop), np.float32)
    written = runner.flush(state, out)
    return np.concatenate([*sounds, out[0, :written]])
