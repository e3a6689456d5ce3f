"""Which number stands for which client, so that an event can find its way back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from synthhost.control.replies import ReplyPath

MAX_CLIENTS = 1024


class Origins:
    """Numbers for clients; those longest unheard of are forgotten first."""

    def __init__(self, first: int = 1) -> None:
        """Begin to number at `first`; a restarted process begins elsewhere than the one before it."""
        self._numbers: OrderedDict[Hashable, int] = OrderedDict()
        self._paths: dict[int, ReplyPath] = {}
        self._next = first

    def number(self, path: ReplyPath) -> int:
        """Return the client's number, a new one for a new client."""
        key = path.key
        known = self._numbers.get(key)
        if known is not None:
            self._numbers.move_to_end(key)
            self._paths[known] = path  # the same client may have connected anew
            return known
        number, self._next = self._next, self._next + 1
        self._numbers[key] = number
        self._paths[number] = path
        if len(self._numbers) > MAX_CLIENTS:
            _, oldest = self._numbers.popitem(last=False)
            del self._paths[oldest]
        return number

    def path(self, number: int) -> ReplyPath | None:
        """Return the way back to a client, None for nobody or one forgotten."""
        return self._paths.get(number)
