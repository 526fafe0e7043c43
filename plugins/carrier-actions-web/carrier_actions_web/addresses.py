"""Which addresses are of the public internet.

The table is that of IANA's registries of special-purpose addresses (IPv4 and IPv6), read in November 2026, and stricter where
these call a block reachable that no web server has. The standard library's ``is_global`` is asked as well, but not relied on:
before Python 3.11.10 it takes several of these blocks for public.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_SPECIAL: dict[str, tuple[str, ...]] = {
    # Before the blocks that some of them are in: the reason is better told by name.
    "an address of a cloud's metadata service": (
        "169.254.169.254/32",  # most clouds
        "169.254.170.2/32",  # credentials of containers at AWS
        "168.63.129.16/32",  # Azure's wire server, within an ordinary public block
        "100.100.100.200/32",  # Alibaba
        "192.0.0.192/32",  # Oracle
        "fd00:ec2::254/128",  # AWS
        "fd20:ce::254/128",  # Google
    ),
    "an unspecified address": ("0.0.0.0/8", "::/128"),
    "a loopback address": ("127.0.0.0/8", "::1/128"),
    "a private address": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    "an address of a shared network (RFC 6598)": ("100.64.0.0/10",),
    "a unique local address": ("fc00::/7",),
    "a site-local address": ("fec0::/10",),
    "a link-local address": ("169.254.0.0/16", "fe80::/10"),
    "the broadcast address": ("255.255.255.255/32",),
    "a multicast address": ("224.0.0.0/4", "ff00::/8"),
    "an address for documentation": (
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "2001:db8::/32",
        "3fff::/20",
    ),
    "an address for benchmarks": ("198.18.0.0/15", "2001:2::/48"),
    "an IPv4 address written as IPv6": ("::ffff:0:0/96", "::ffff:0:0:0/96", "::/96"),
    "an address of a translator (NAT64)": ("64:ff9b::/96", "64:ff9b:1::/48"),
    "an address of a tunnel (6to4)": ("2002::/16", "192.88.99.0/24"),
    "an address of a tunnel (Teredo)": ("2001::/32",),
    "a reserved address": (
        "192.0.0.0/24",  # IETF protocol assignments
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.175.48.0/24",  # AS112
        "240.0.0.0/4",
        "100::/64",  # discard only
        "100:0:0:1::/64",
        "2001::/23",  # IETF protocol assignments: ORCHID and others
        "2620:4f:8000::/48",  # AS112
        "5f00::/16",  # segment routing
    ),
}
_TABLE = tuple((why, ip_network(block)) for why, blocks in _SPECIAL.items() for block in blocks)

_GLOBAL_UNICAST = IPv6Network("2000::/3")  # all that IANA has ever given out to networks (RFC 4291, 2.4)
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)  # the third quarter of an address that holds an IPv4 address (RFC 5214, 6.1)

_INNER = frozenset(
    {
        "a loopback address",
        "a private address",
        "an address of a shared network (RFC 6598)",
        "a unique local address",
    }
)
"""What a host of one's own network may have."""


def unreachable(address: Address, refused: Iterable[Network] = (), *, inner: bool = False) -> str:
    """Why no connection may be opened to an address, as what it is; empty where one may.

    ``refused`` are networks that the operator does not want to be reached either. ``inner`` is for a host that the operator
    has opened by its name: it may be in the own network, but still is no link, no group and no cloud's metadata.
    """
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "an address with a zone"
    if any(address in network for network in refused if network.version == address.version):
        return "in a network that the operator has refused"
    why = next((why for why, network in _TABLE if network.version == address.version and address in network), "")
    if why:
        return "" if inner and why in _INNER else why
    if isinstance(address, IPv6Address):
        if address not in _GLOBAL_UNICAST:
            return "not an address of the public internet"
        if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
            return "an address of a tunnel (ISATAP)"
    if not address.is_global or address.is_multicast or address.is_reserved:
        return "not an address of the public internet"
    return ""


def read_address(text: str) -> Address | None:
    """An address as resolvers write it; None if it is none."""
    try:
        return ip_address(text)
    except ValueError:
        return None
