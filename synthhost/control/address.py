"""The address table: which addresses there are, and what a message to one of them means.

Derived whole from the engine's description, and made anew when that changes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from synthhost.control.endpoints import Action, Call, Endpoint
from synthhost.control.host_endpoints import Takes, master_endpoints, question_endpoints, show_endpoints
from synthhost.control.packets import OscMessage
from synthhost.control.patterns import AddressTree, is_pattern
from synthhost.control.requests import Query, Refusal
from synthhost.control.track_endpoints import Presets, Sounds, TrackEndpoints
from synthhost.control.values import ValueKey
from synthhost.core.errors import OscError, SynthhostError, suggestion
from synthhost.core.messages import NOW

_CACHED_PATTERNS = 256
_QUERY = "/q"


def below(address: str, prefix: str) -> bool:
    """Say whether an address is a prefix or lies under it; prefixes end at whole parts."""
    stem = prefix.rstrip("/")
    return address.startswith(stem) and address[len(stem) : len(stem) + 1] in ("", "/")


class UnknownAddressError(OscError):
    """No such address; what it may have meant is looked up when it is read: floods are not told."""

    def __init__(self, table: AddressTable, address: str) -> None:
        super().__init__(address)
        self._table = table

    def __str__(self) -> str:
        return f"no such address.{self._table.suggestion(self.args[0])}"


class AddressTable:
    """Turns messages into commands and requests.

    Attributes:
        endpoints: Every address, in the order of `/list`.
        dependents: For each value, the addresses that show it.
    """

    def __init__(
        self,
        description: Mapping[str, Any],
        presets: Presets,
        sounds: Sounds,
        takes: Takes,
    ) -> None:
        """Make the table.

        Args:
            description: What the engine wrote on its board.
            presets: Returns a preset's body by name.
            sounds: Returns a sound's absolute path.
            takes: Returns the folder of a new take.
        """
        self._description = description
        self.endpoints: Mapping[str, Endpoint] = MappingProxyType(
            {endpoint.address: endpoint for endpoint in self._all(presets, sounds, takes)}
        )
        self.dependents: Mapping[ValueKey, tuple[str, ...]] = MappingProxyType(_dependents(self.endpoints))
        self._tree = AddressTree(self.endpoints)
        self._found: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def _all(self, presets: Presets, sounds: Sounds, takes: Takes) -> Iterator[Endpoint]:
        described = self._description
        fade_ms = float(described.get("crossfade_ms", 30.0))
        for name, track in described.get("tracks", {}).items():
            yield from TrackEndpoints(name, track, presets, sounds).all(fade_ms)
        yield from master_endpoints(described.get("master", {}))
        yield from show_endpoints(
            takes, described.get("recording"), str(described.get("record_format", "wav24"))
        )
        yield from question_endpoints()

    def translate(self, message: OscMessage, at_sample: int = NOW, origin: int = 0) -> list[Action]:
        """Return what a message asks for, in order.

        A pattern asks it of every address it matches; those that refuse the arguments are named by
        `Refusal`, unless all do.

        Raises:
            SynthhostError: No such address or preset, or the arguments do not fit.
        """
        address = message.address
        call = Call(message.args, at_sample, origin)
        endpoint = self.endpoints.get(address)
        if endpoint is not None:
            return endpoint.accept(call)
        if address.startswith(_QUERY + "/"):
            return [self._query(address[len(_QUERY) :])]
        if is_pattern(address):
            return self._fan_out(self.matching(address), call)
        raise UnknownAddressError(self, address)

    def matching(self, address: str) -> tuple[str, ...]:
        """Return the plain addresses an address or pattern stands for.

        Raises:
            OscError: There are none, or the pattern is malformed.
        """
        if address in self.endpoints:
            return (address,)
        if not is_pattern(address):
            raise UnknownAddressError(self, address)
        found = self._found.get(address)
        if found is None:
            found = self._found[address] = self._tree.matching(address)
            if len(self._found) > _CACHED_PATTERNS:
                self._found.popitem(last=False)
        if not found:
            raise OscError("no address matches this pattern; /list tells which there are.")
        return found

    def _fan_out(self, addresses: tuple[str, ...], call: Call) -> list[Action]:
        actions: list[Action] = []
        refusals: list[Refusal] = []
        for address in addresses:
            try:
                actions += self.endpoints[address].accept(call)
            except SynthhostError as error:
                refusals.append(Refusal(address, str(error)))
        if not actions:
            raise OscError(f"{refusals[0].address} (one of {len(refusals)} matches) {refusals[0].reason}")
        return [*actions, *refusals]

    def _query(self, address: str) -> Query:
        readable = tuple(each for each in self.matching(address) if self.endpoints[each].read)
        if not readable:
            raise OscError("this address has no value that could be told.")
        return Query(readable)

    def suggestion(self, address: str) -> str:
        """Return what an unknown address may have meant; takes milliseconds."""
        track = address.split("/")[2] if address.startswith("/track/") else None
        tracks = self._description.get("tracks", {})
        if track is not None and track not in tracks:
            return f" No track is named {track!r}.{suggestion(track, tracks)} There are: {', '.join(tracks)}."
        near = [known for known in self.endpoints if track is None or known.startswith(f"/track/{track}/")]
        return suggestion(address, near) or " /list tells which there are."


def _dependents(endpoints: Mapping[str, Endpoint]) -> dict[ValueKey, tuple[str, ...]]:
    found: dict[ValueKey, tuple[str, ...]] = {}
    for endpoint in endpoints.values():
        for key in endpoint.depends:
            found[key] = (*found.get(key, ()), endpoint.address)
    return found
