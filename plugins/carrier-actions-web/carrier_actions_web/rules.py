"""The rules of the guard: which hosts, ports and addresses may be reached."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from carrier_actions_web.addresses import Network, read_address, unreachable
from carrier_actions_web.urls import Target
from carrier_core import Rejected


class Rules(msgspec.Struct, frozen=True):
    """What may be reached: the ``ports`` of all public addresses but those in ``refused``, and the ``private`` hosts (name or
    address, and port) that the operator has opened, wherever they are."""

    ports: tuple[int, ...] = (80, 443)
    private: frozenset[tuple[str, int]] = frozenset()
    refused: tuple[Network, ...] = ()

    def opens(self, host: str, port: int) -> bool:
        """Whether this is a host that the operator has opened."""
        return (host, port) in self.private

    def public(self) -> Rules:
        """The same without private hosts."""
        return msgspec.structs.replace(self, private=frozenset())

    def check(self, target: Target) -> None:
        """Rejected where the target's port, or the address that it names itself, may not be reached."""
        if read_address(target.host) is not None:
            self.checked(target.host, target.port, [target.host])
        elif not self.opens(target.host, target.port):
            self._check_port(target.host, target.port)

    def checked(self, host: str, port: int, found: Iterable[str]) -> list[str]:
        """The addresses of a host, in their one form, all of which may be reached. Rejected where one may not, or there is none:
        a host that has both kinds of addresses is up to something."""
        opened = self.opens(host, port)
        if not opened:
            self._check_port(host, port)
        addresses = []
        for text in dict.fromkeys(found):
            address = read_address(text)
            if address is None:
                raise Rejected(f"{host} cannot be reached: what it resolves to is no address.")
            literal = read_address(host) == address
            why = "" if opened and literal else unreachable(address, self.refused, inner=opened)
            if why:
                reason = f"it is {why}" if literal else f"it resolves to {address}, which is {why}"
                raise Rejected(f"{host} cannot be reached: {reason}.")
            addresses.append(str(address))
        if not addresses:
            raise Rejected(f"{host} cannot be reached: it has no address.")
        return addresses

    def _check_port(self, host: str, port: int) -> None:
        if not self.ports:
            raise Rejected(f"{host} cannot be reached: only {self._opened} is open here.")
        if port not in self.ports:
            raise Rejected(f"{host} cannot be reached on port {port}: only {_listed(self.ports)} may be used.")

    @property
    def _opened(self) -> str:
        return ", ".join(f"{host}:{port}" for host, port in sorted(self.private)) or "nothing"


def _listed(ports: tuple[int, ...]) -> str:
    return " and ".join(str(port) for port in sorted(ports)) if len(ports) < 3 else ", ".join(map(str, sorted(ports)))
