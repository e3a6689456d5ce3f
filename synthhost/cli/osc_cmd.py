"""Talk OSC to a running host from the shell: send a message, or watch values and meters."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Annotated

import typer
from pythonosc.osc_message_builder import BuildError, OscMessageBuilder
from pythonosc.udp_client import UDPClient
from rich.console import Console
from rich.markup import escape

from synthhost.control.codec import decode
from synthhost.control.packets import OscMessage
from synthhost.core.errors import OscError

app = typer.Typer(help="Talk OSC to a running host.", no_args_is_help=True)

Host = Annotated[str, typer.Option(help="Where the host runs.")]
Port = Annotated[int, typer.Option(min=1, max=65_535, help="The host's OSC port.")]

_WHOLE = re.compile(r"[+-]?\d{1,18}")
_QUESTIONS = ("/q/", "/status", "/latency", "/list", "/help", "/heartbeat", "/sync")  # always answered
_RENEW_S = 5.0
_ASK_AGAIN_S = 0.25


@app.command(context_settings={"ignore_unknown_options": True})
def send(
    address: Annotated[str, typer.Argument(help="Such as /track/voice/param/speed or /q/track/*/gain.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Numbers and words.")] = None,
    host: Host = "127.0.0.1",
    port: Port = 9000,
    wait_ms: Annotated[float, typer.Option(min=0, help="How long to wait for answers.")] = 300.0,
) -> None:
    """Send one message and print what comes back.

    Exit code 1 where that is an /error, or where nothing comes back on a question.
    """
    console = Console(soft_wrap=True)
    with _client(host, port) as client:
        _send(client, address, [argument(word) for word in arguments or ()])
        heard = list(_answers(client, wait_ms / 1000.0))  # printing them takes longer than they take to come
    for message in heard:
        console.print(shown(message))
    if not heard and address.startswith(_QUESTIONS):
        raise OscError(f"nothing answers at {host} port {port} within {wait_ms:g} ms. Is the host running?")
    raise typer.Exit(int(any(message.address == "/error" for message in heard)))


@app.command()
def watch(
    prefix: Annotated[str, typer.Argument(help="Watch addresses below this one.")] = "/",
    host: Host = "127.0.0.1",
    port: Port = 9000,
    rate: Annotated[float, typer.Option(min=0.1, max=60, help="Values a second at most.")] = 10.0,
    seconds: Annotated[float, typer.Option(min=0, help="Stop after this long; 0 goes on.")] = 0.0,
) -> None:
    """Print changed values and meters until interrupted."""
    ends_s = time.monotonic() + seconds if seconds else float("inf")
    console = Console(soft_wrap=True)
    with _client(host, port) as client:
        while (left_s := ends_s - time.monotonic()) > 0:
            _send(client, "/subscribe", [0, prefix, rate, 3.0 * _RENEW_S])
            for message in _answers(client, min(left_s, _RENEW_S)):
                console.print(shown(message))
        _send(client, "/unsubscribe", [0, prefix])


def argument(word: str) -> int | float | str:
    """Guess what a word on the command line means: a whole number, a number, or text."""
    if _WHOLE.fullmatch(word):
        return int(word)
    try:
        return float(word)
    except ValueError:
        return word


def shown(message: OscMessage) -> str:
    """Return a message as one line for the terminal."""
    words = " ".join(f"{arg:.6g}" if isinstance(arg, float) else str(arg) for arg in message.args)
    return f"[bold]{escape(message.address)}[/bold] {escape(words)}".rstrip()


def _client(host: str, port: int) -> UDPClient:
    try:
        return UDPClient(host, port)
    except OSError as error:  # a name that nobody knows
        raise OscError(f"--host {host}: this is no host that can be reached ({error}).") from error


def _send(client: UDPClient, address: str, arguments: list[int | float | str]) -> None:
    try:
        builder = OscMessageBuilder(address)
        for each in arguments:
            builder.add_arg(each)
        client.send(builder.build())
    except BuildError as error:
        raise OscError(f"{address}: this is not a message OSC can carry ({error}).") from error
    except OSError as error:
        raise OscError(f"the message could not be sent ({error}). Is the host running?") from error


def _answers(client: UDPClient, wait_s: float) -> Iterator[OscMessage]:
    ends_s = time.monotonic() + wait_s
    while (left_s := ends_s - time.monotonic()) > 0:
        packet = client.receive(min(left_s, _ASK_AGAIN_S))
        if packet:
            yield from decode(packet)
