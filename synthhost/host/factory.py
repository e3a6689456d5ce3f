"""Turns a preset into a voice: model, source, rate conversion and chain put together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from synthhost.core.computing import BACKEND
from synthhost.core.draws import SeededDraws
from synthhost.core.errors import ConfigError, SourceError, suggestion
from synthhost.core.noise import hashes
from synthhost.core.options import model_of, options_of, usable_rungs, with_options, without_options
from synthhost.core.seams import Effects, Reserving, Runner, Source
from synthhost.core.specs import MelSpec
from synthhost.effects.chain import Chain
from synthhost.engine.clip_voice import ClipVoice
from synthhost.engine.loading import Prepared
from synthhost.engine.note_voice import NoteVoice
from synthhost.engine.resampler import Resampler
from synthhost.engine.sounding import Sounding
from synthhost.engine.strip import db_to_linear
from synthhost.engine.voice import Voice
from synthhost.host.joint import alone
from synthhost.host.sounds import file_sha256
from synthhost.library.model import Model
from synthhost.library.number_files import names_numbers
from synthhost.library.shelves import load_model
from synthhost.schema.preset import Preset, start_values
from synthhost.sources.clip import ClipSource
from synthhost.sources.notes import NotesSource
from synthhost.sources.registry import make_source
from synthhost.sources.tape import Tape, load_tape

_TAPES_KEPT = 16
_MODELS_KEPT = 4  # at least
_WARM_MS = 150.0  # of effect tails, beyond what the model looks back on


def as_loaded(_reference: str, model: Model) -> Model:
    """Return a model on the back end it was loaded on."""
    return model


class VoiceFactory:
    """Builds voices. It keeps the last models and tapes, so that coming back to a preset is quick.

    Used by one thread at a time: the loader's while playing.

    Args:
        sample_rate: The engine's.
        seed: The performance's.
        chunk_of: Says how many frames a model takes at a time.
        backends: Which back end computed a model in the session that is played again, by its reference.
        preferred: Takes a freshly loaded model and returns it on the back end it is to play on.
        joint: Says in a few words why voices of a runner step together at a chunk, or None where they do not.

    Attributes:
        backends: Which back end computes each model that was loaded, by its reference.
    """

    def __init__(
        self,
        sample_rate: int,
        seed: int,
        chunk_of: Callable[[str, Runner], int],
        backends: Mapping[str, str] | None = None,
        preferred: Callable[[str, Model], Model] = as_loaded,
        joint: Callable[[Runner, int], str | None] = alone,
    ) -> None:
        self._sample_rate = sample_rate
        self._seed = seed
        self._chunk_of = chunk_of
        self._pinned = dict(backends or {})
        self._preferred = preferred
        self._joint = joint
        self.backends: dict[str, str] = {}
        self._kept = _MODELS_KEPT
        self._models: OrderedDict[str, Model] = OrderedDict()  # by reference, options included
        self._tapes: OrderedDict[tuple[str, MelSpec], Tape] = OrderedDict()
        self._converters: dict[int, Resampler] = {}  # by the model's rate, never played: copies are

    def model(self, reference: str) -> Model:
        """Return a model under its options; weights are loaded once for all of them."""
        if reference not in self._models:
            self._models[reference] = built = self._built(reference)
            self.backends[reference] = built.computed.backend
            self._drop_models()
        self._models.move_to_end(reference)
        return self._models[reference]

    def keep(self, models: int) -> None:
        """Keep so many models from now on, such as all of a set while it starts; a few are always kept."""
        self._kept = max(models, _MODELS_KEPT)
        self._drop_models()

    def _drop_models(self) -> None:
        while len(self._models) > self._kept:
            self._models.popitem(last=False)

    def _built(self, reference: str) -> Model:
        """Return a model from its weights, which are loaded once, on the back end it is to play on."""
        name, options = without_options(reference)
        near = next((key for key in self._models if without_options(key)[0] == name), None)
        pinned = self._pinned.get(reference)
        if pinned is None:
            built = load_model(reference) if near is None else self._models[near].rebuilt(options)
            return self._preferred(reference, built)
        options = {**options, BACKEND.name: pinned}
        built = (
            load_model(with_options(name, options)) if near is None else self._models[near].rebuilt(options)
        )
        built.computed = replace(built.computed, reason="as in the session")
        return built

    def tape(self, path: str, spec: MelSpec | None, sha256: str | None = None) -> Tape:
        """Return a sound file as a tape, read once while it does not change.

        Raises:
            SourceError: It cannot be read, is another file than it was when `sha256` was written down, or
                the model takes no mel frames.
        """
        if spec is None:
            raise SourceError("this model takes no mel frames, so it plays no tape. Choose another source.")
        digest = file_sha256(path)
        if sha256 is not None and digest != sha256:
            raise SourceError(
                f"{path}: the sound has changed since it was written down (sha256 {digest[:12]}…, "
                f"expected {sha256[:12]}…). Put the original back to hear the same again."
            )
        key = (digest, spec)
        if key not in self._tapes:
            self._tapes[key] = load_tape(Path(path), spec)
            if len(self._tapes) > _TAPES_KEPT:
                self._tapes.popitem(last=False)
        self._tapes.move_to_end(key)
        return self._tapes[key]

    def build(
        self, body: dict[str, Any], stream: int, live: dict[str, float] | None, *, kept: bool = False
    ) -> Prepared:
        """Return a voice for a preset, warmed when it joins a track that plays.

        Args:
            body: The preset, with absolute paths.
            stream: Distinguishes the voice's randomness from every other's.
            live: The track's present values, which hold for every source parameter the preset does not name;
                None for a voice that begins with the performance, at the very first sample of its stream.
            kept: Whether those values hold against what the preset says.
        """
        preset = Preset.from_json(body, f"preset {body.get('name', '')}")
        reference = model_of(body)
        model = self.model(reference)
        preset = _on_usable_rungs(preset, model)
        runner = model.runner
        seed = int(hashes(self._seed, stream, 0, 1)[0])
        source = self._source(preset, runner, seed)
        said = start_values(preset)
        chain = Chain(_plugins(preset, said), self._sample_rate)
        chunk_frames, computed = self._chunk_of(reference, runner), model.computed
        if isinstance(runner, Reserving):
            computed = replace(computed, reason=f"{computed.reason}; {runner.reserve(chunk_frames)}")
        joined = self._joint(runner, chunk_frames)
        if joined is not None:
            computed = replace(computed, reason=f"{computed.reason}; {joined}")
        joins = joined is not None
        voice = self._voice(source, runner, chunk_frames, chain, SeededDraws.of(seed), joins=joins)
        values = _settle(preset, said, voice, live or {}, kept=kept)
        voice.trim = db_to_linear(preset.gain_db)
        if live is not None:
            look_back_ms = 1000.0 * runner.spec.receptive_frames * runner.spec.hop_samples
            warm_ms = look_back_ms / runner.spec.sample_rate + _WARM_MS
            voice.warm_up(int(warm_ms * self._sample_rate / 1000.0))
        specs = {spec.name: spec for spec in voice.params}
        return Prepared(
            preset.name,
            preset.as_json(),
            voice,
            values,
            specs,
            model.option_specs,
            model.options,
            computed,
        )

    def details(self, prepared: Prepared) -> dict[str, Any]:
        """Return what a replay must know to build the same voice."""
        spec = prepared.voice.runner.spec
        return {
            "model": prepared.model_reference,
            "model_sha256": spec.sha256,
            "chunk_frames": prepared.voice.chunk_frames,
            "backend": self.backends[prepared.model_reference],
            "sounds": self.sounds(prepared.body),
        }

    @staticmethod
    def sounds(body: dict[str, Any]) -> dict[str, str]:
        """Return the sha256 of every file a preset plays from, sounds and lists of numbers, by path."""
        options = options_of(body).values()
        lists = [text for text in options if isinstance(text, str) and names_numbers(text)]
        paths = (body["source"].get("tape"), body["source"].get("tape_b"), *lists)
        return {path: file_sha256(path) for path in paths if path}

    @staticmethod
    def sounds_of(path: str) -> dict[str, str]:
        """Return the sha256 of one sound file, by path."""
        return {path: file_sha256(path)}

    def _voice(
        self,
        source: Source,
        runner: Runner,
        chunk_frames: int,
        effects: Effects,
        draws: SeededDraws,
        *,
        joins: bool,
    ) -> Sounding:
        """Return a voice at the start of its stream, or one of clips or notes that waits for triggers."""
        converter = self._converter(runner.spec.sample_rate)
        if isinstance(source, ClipSource):
            return ClipVoice(source, runner, chunk_frames, converter, effects, self._sample_rate)
        if isinstance(source, NotesSource):
            seed = draws.seeds[0]
            return NoteVoice(source, runner, chunk_frames, converter, effects, self._sample_rate, seed)
        return Voice(source, runner, chunk_frames, converter, effects, draws, joins=joins)

    def _converter(self, model_rate: int) -> Resampler:
        """Return a converter at the start of its stream; designing one holds the interpreter for 3 ms."""
        if model_rate not in self._converters:
            self._converters[model_rate] = Resampler(model_rate, self._sample_rate)
        return self._converters[model_rate].copy()

    def _source(self, preset: Preset, runner: Runner, seed: int) -> Source:
        part = preset.source
        given = {"a": (part.tape, part.tape_sha256), "b": (part.tape_b, part.tape_b_sha256)}
        tapes = {
            slot: self.tape(path, runner.spec.mel, sha256) for slot, (path, sha256) in given.items() if path
        }
        return make_source(part.kind, runner.spec, seed, tapes, self._sample_rate)


def _on_usable_rungs(preset: Preset, model: Model) -> Preset:
    """Return a preset whose ladder has only rungs of which its model has the options."""
    rungs = tuple(usable_rungs(preset.ladder, model.option_specs))
    return preset if preset.rung else preset.model_copy(update={"ladder": rungs})


def _plugins(preset: Preset, said: dict[str, float]) -> list[tuple[str, dict[str, float]]]:
    """Return the chain with the values it begins at, macros included."""
    plugins = []
    for index, part in enumerate(preset.chain):
        start = f"fx.{index}."
        moved = {name.removeprefix(start): value for name, value in said.items() if name.startswith(start)}
        plugins.append((part.effect, {**part.params, **moved}))
    return plugins


def _settle(
    preset: Preset, said: dict[str, float], voice: Sounding, live: dict[str, float], *, kept: bool
) -> dict[str, float]:
    """Stand source and model where the preset and the track's live values want them; return every value."""
    specs = {spec.name: spec for spec in voice.params}
    unknown = sorted(set(said) - set(specs))
    if unknown:
        raise ConfigError(
            f"preset {preset.name}: nothing is called {unknown[0]!r} in its source, model or chain."
            f"{suggestion(unknown[0], specs)}"
        )
    carried = {name: live[name] for name in specs if name in live}
    moved = said | carried if kept else carried | said
    values = {name: spec.default for name, spec in specs.items()} | moved
    values = {name: specs[name].clamp(value) for name, value in values.items()}
    for spec in voice.source.params:
        voice.source.jump_param(spec.name, values[spec.name])
    for spec in (*voice.runner.controls, *(voice.effects.params if kept else ())):
        voice.set_param(spec.name, values[spec.name])
    return values
