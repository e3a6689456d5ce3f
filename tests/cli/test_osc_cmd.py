from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from synthhost.cli.osc_cmd import app, argument, shown
from synthhost.control.packets import OscMessage
from synthhost.control.replies import ReplyPath, reply
from synthhost.control.server import OscServer
from synthhost.core.errors import OscError

_NONE = "there is no such address. /list tells which there are, each with its range and what it is for."


class Peer:
    """A host that answers `/q/...` and `/subscribe`, in a thread of its own."""

    def __init__(self) -> None:
        self.server = OscServer(port=0)
        self.heard: list[OscMessage] = []
        self.goodbye = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.server.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.server.serve(self._take, 0.01)

    def _take(self, messages: list[OscMessage], path: ReplyPath, arrived_s: float) -> None:
        self.heard += messages
        for message in messages:
            if message.address.startswith("/q/"):
                path.send(reply(message.address[2:], -6.0))
            if message.address == "/wrong":
                path.send(reply("/error", "/wrong", _NONE))
            if message.address == "/unsubscribe":
                self.goodbye.set()
            if message.address == "/subscribe":
                path.send(reply("/meter/[voice]", -3.0, -9.0))


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.close()


def run(peer: Peer, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*words, "--port", str(peer.server.port)])
    assert result.exit_code == code, result.output
    return result.output


def test_send_guesses_types_and_prints_the_answer(peer: Peer) -> None:
    output = run(peer, "send", "/q/track/voice/gain", "-3", "0.5", "pad", "--wait-ms", "300")
    assert output.strip() == "/track/voice/gain -6"
    assert peer.heard[0].args == (-3, 0.5, "pad")


def test_a_refusal_is_printed_on_one_line_and_makes_the_exit_code_1(peer: Peer) -> None:
    (line,) = run(peer, "send", "/wrong", "1", code=1).splitlines()
    assert line == f"/error /wrong {_NONE}"


def test_a_question_that_nobody_answers_is_told(peer: Peer) -> None:
    assert run(peer, "send", "/track/voice/gain", "-3", "--wait-ms", "50") == ""
    result = CliRunner().invoke(app, ["send", "/status", "--wait-ms", "50", "--port", str(peer.server.port)])
    assert isinstance(result.exception, OscError)
    assert "nothing answers at 127.0.0.1 port" in str(result.exception)


def test_watch_subscribes_prints_and_says_goodbye(peer: Peer) -> None:
    output = run(peer, "watch", "/meter", "--rate", "25", "--seconds", "0.3")
    assert "/meter/[voice] -3 -9" in output
    assert peer.heard[0] == OscMessage("/subscribe", (0, "/meter", 25.0, 15.0))
    assert peer.goodbye.wait(5.0)
    assert peer.heard[-1] == OscMessage("/unsubscribe", (0, "/meter"))


@pytest.mark.parametrize(
    ("word", "meant"),
    [("3", 3), ("-3", -3), ("0.5", 0.5), ("1e3", 1000.0), ("pad", "pad"), ("a/b.wav", "a/b.wav")],
)
def test_words_become_numbers_where_they_are_numbers(word: str, meant: float | str) -> None:
    assert argument(word) == meant
    assert type(argument(word)) is type(meant)


def test_a_message_is_shown_on_one_line() -> None:
    assert shown(OscMessage("/a", (1, 0.25, "x"))) == "[bold]/a[/bold] 1 0.25 x"


@pytest.mark.parametrize("command", [["send", "/status"], ["watch"]])
def test_a_host_nobody_knows_gets_a_sentence(command: list[str]) -> None:
    answer = CliRunner().invoke(app, [*command, "--host", "nosuch.invalid"])
    assert isinstance(answer.exception, OscError)
    assert "--host nosuch.invalid" in str(answer.exception)
