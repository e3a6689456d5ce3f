"""Opening the OSC port: UDP and TCP on one number, with as large a receive buffer as the system grants."""

from __future__ import annotations

import array
import contextlib
import errno
import socket

from synthhost.core.errors import OscError

WANTED_BUFFER_BYTES = 4 << 20
_ATTEMPTS = 16
_SO_RCVBUFFORCE = 33  # Linux: beyond the system's limit, for privileged processes
_SO_MEMINFO = 55  # Linux: memory counters of a socket, the ninth is the datagrams dropped
_MEMINFO_DROPS = 8


def open_pair(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Return a UDP socket and a listening TCP socket on the same port (0 takes any free one).

    Raises:
        OscError: The port is taken or the host is not one of this machine's.
    """
    for attempt in range(_ATTEMPTS):
        udp = _bound(host, port, socket.SOCK_DGRAM)
        try:
            return udp, _bound(host, udp.getsockname()[1], socket.SOCK_STREAM)
        except OscError:
            udp.close()
            if port or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _bound(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=kind)[0]
        opened = socket.socket(family, kind)
    except OSError as error:
        raise OscError(f"{host}: this is not a host this machine knows ({error}). Try 127.0.0.1.") from error
    try:
        opened.setblocking(False)
        if kind == socket.SOCK_DGRAM:
            _grow_buffer(opened)
        else:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        if kind == socket.SOCK_STREAM:
            opened.listen(8)
    except (OSError, OverflowError) as error:
        opened.close()
        raise OscError(_bind_sentence(host, port, error)) from error
    return opened


def _bind_sentence(host: str, port: int, error: OSError | OverflowError) -> str:
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EADDRINUSE:
        return (
            f"port {port} is already used, perhaps by another synthhost; give another with --osc-port "
            f"(or stop the program that holds it)."
        )
    if code == errno.EADDRNOTAVAIL:
        return f"{host}: this machine has no such address. Use 127.0.0.1, or 0.0.0.0 for every network."
    if code == errno.EACCES:
        return f"port {port} needs privileges; give one above 1023 with --osc-port."
    return f"port {port} on {host} cannot be opened ({error}). Give another with --osc-port."


def _grow_buffer(udp: socket.socket) -> None:
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WANTED_BUFFER_BYTES)
    if granted_buffer_bytes(udp) < WANTED_BUFFER_BYTES:
        with contextlib.suppress(OSError):  # only the privileged may, everybody else keeps what was granted
            udp.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, WANTED_BUFFER_BYTES)


def granted_buffer_bytes(udp: socket.socket) -> int:
    """Return how large the receive buffer is (Linux reports, and counts, twice what was asked for)."""
    return udp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def dropped_datagrams(udp: socket.socket) -> int:
    """Return how many datagrams the system dropped for want of room; 0 where it cannot tell."""
    try:
        counters = array.array("I", udp.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36))
    except OSError:
        return 0
    return counters[_MEMINFO_DROPS] if len(counters) > _MEMINFO_DROPS else 0
