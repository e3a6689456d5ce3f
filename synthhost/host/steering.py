"""Keeps a show in time: steps tracks down and up their ladders, and keeps the engine far enough ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic

from synthhost.core.board import StatusPage
from synthhost.core.messages import TakeRung
from synthhost.core.options import model_of, options_of
from synthhost.engine.renderer import Renderer
from synthhost.engine.track import Track
from synthhost.host.admission import Admission
from synthhost.host.lead import LONGEST_MS, Lead
from synthhost.host.planning import LONGEST_AHEAD_MS
from synthhost.host.stepping import WINDOW_S, Counts, Standing, Step, Stepping
from synthhost.host.verdicts import said

_GAP_S = 0.25
_ADVICE_GAP_S = 10.0  # what is late in one bad moment is told at once, and once
_ADVICE_STEP_MS = 5.0  # advice is rounded up to so much, and a smaller step beyond the last is no news
_TOO_MUCH = 0.9  # of the time for models: the ring only runs dry more slowly the longer it is


class Steering:
    """Looks at what the render loop counts and orders steps. [loader thread]

    Args:
        renderer: That plays.
        admission: Knows what rungs cost.
        status: Holds the counts.
        crossfade_ms: Of a step.
        order: Takes the command of a step, for the render thread.
        say: Takes sentences for people.
        lead: Finds how far the engine is to be ahead of the sink; None where that was asked for.
        stay_ahead: Makes it so many ms.
        clock: Tells the time in seconds.
    """

    def __init__(
        self,
        renderer: Renderer,
        admission: Admission,
        status: StatusPage,
        crossfade_ms: float,
        *,
        order: Callable[[TakeRung], None],
        say: Callable[[str], None],
        lead: Lead | None = None,
        stay_ahead: Callable[[float], None] = lambda _: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.longest_late_ms = 0.0  # of a block since it was last looked at; the render thread raises both
        self.most_used_ms = 0.0  # of what the engine is ahead
        self._renderer = renderer
        self._admission = admission
        self._status = status
        self._crossfade_ms = crossfade_ms
        self._order = order
        self._say = say
        self._lead = lead
        self._stay_ahead = stay_ahead
        self._clock = clock
        self._stepping = Stepping()
        self._looked_s = float("-inf")
        self._lately: deque[tuple[float, float]] = deque()  # when blocks were late, and by how many ms
        self._advised_ms = 0.0
        self._advised_s = float("-inf")

    def look(self) -> None:
        """Order a step where one is due; a few times a second are enough."""
        now_s = self._clock()
        if now_s - self._looked_s < _GAP_S:
            return
        self._looked_s = now_s
        late_ms, self.longest_late_ms = self.longest_late_ms, 0.0
        used_ms, self.most_used_ms = self.most_used_ms, 0.0
        if late_ms > 0.0:
            self._lately.append((now_s, late_ms))
        counts = self._counts()
        step = self._stepping.look(now_s, counts)
        for text in self._stepping.take_news():
            self._say(text)
        if step is not None:
            self._take(step)
        elif self._stepping.helpless(now_s, counts):
            self._help(now_s, counts)
        self._keep_ahead(now_s, used_ms, counts)

    def _counts(self) -> Counts:
        status = self._status
        standing = [self._standing(track) for track in self._renderer.tracks]
        return Counts(int(status["late_blocks"]), status["block_times"].copy(), standing)

    def _standing(self, track: Track) -> Standing:
        playing, known = track.playing, self._admission.choices  # once: the render thread changes it
        body = playing.body
        models = (model_of(body, rung) for rung in range(len(body.get("ladder") or ()) + 1))
        factors = [known[one].real_time_factor if one in known else None for one in models]
        return Standing(track.name, playing.name, body.get("rung", 0), factors, track.model_seconds)

    def _take(self, step: Step) -> None:
        track = next(one for one in self._renderer.tracks if one.name == step.track)
        body = track.playing.body
        options, down = options_of(body, step.rung), step.rung > body.get("rung", 0)
        plays = f" with {said(options)}" if options else ""
        self._say(
            f"Track {step.track} steps {'down' if down else 'up'} to rung {step.rung} of "
            f"{len(body['ladder'])}{plays}: {step.why}."
        )
        self._lately.clear()  # it is another show from here on
        self._order(TakeRung(step.track, step.rung, step.why, self._crossfade_ms, preset=step.preset))

    def _late(self, now_s: float) -> float:
        """Return how late a block was lately at most, in ms."""
        while self._lately and now_s - self._lately[0][0] > WINDOW_S:
            self._lately.popleft()
        return max((late_ms for _, late_ms in self._lately), default=0.0)

    def _help(self, now_s: float, counts: Counts) -> None:
        """Say what would have held what was late, or that nothing would."""
        late_ms, window = self._late(now_s), self._stepping.window(now_s, counts)
        if late_ms == 0.0 or window is None:
            return
        ahead_ms = self._ahead_ms()
        if window.share >= _TOO_MUCH:
            self._advise(
                now_s,
                LONGEST_AHEAD_MS,
                f"The models take {100.0 * window.share:.0f} % of the time, which no --ahead-ms holds: use "
                "fewer or smaller ones, or a ladder.",
            )
        elif self._lead is None or ahead_ms + late_ms > LONGEST_MS:
            held_ms = _next_step(ahead_ms + late_ms)
            holds = f"--ahead-ms {held_ms:.0f} would have held them."
            if held_ms > LONGEST_AHEAD_MS:
                holds = "no --ahead-ms holds that: the models need a faster machine."
            text = f"Blocks were up to {late_ms:.0f} ms late, {ahead_ms:.0f} ms ahead of the sink: {holds}"
            self._advise(now_s, held_ms, text)

    def _keep_ahead(self, now_s: float, used_ms: float, counts: Counts) -> None:
        """Make the engine stay further ahead of the sink, or less far, where that is due."""
        window = self._stepping.window(now_s, counts)
        if self._lead is None or (window is not None and window.share >= _TOO_MUCH):
            return
        change = self._lead.look(now_s, self._ahead_ms(), used_ms)
        if change is not None:
            ahead_ms, text = change
            self._lately.clear()
            self._stay_ahead(ahead_ms)
            self._say(text)

    def _ahead_ms(self) -> float:
        return 1000.0 * int(self._status["ahead_samples"]) / self._renderer.sample_rate

    def _advise(self, now_s: float, wanted_ms: float, text: str) -> None:
        """Say what would help; more than was said is news, less is not."""
        if wanted_ms > self._advised_ms and now_s - self._advised_s >= _ADVICE_GAP_S:
            self._advised_ms, self._advised_s = wanted_ms, now_s
            self._say(text)


def _next_step(ms: float) -> float:
    return _ADVICE_STEP_MS * (1.0 + ms // _ADVICE_STEP_MS)
