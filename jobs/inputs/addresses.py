"""Which URLs and addresses Pixelmill may be sent to: the pure half of the guard against SSRF.

`check_url` runs at submission (it asks no DNS, so it can only judge what is written) and again
in `workers.egress`, which then puts every address that a name stands for through `is_allowed`.

The grammar is narrower than RFC 3986 on purpose. Whatever two readers of URLs could read in two
ways (`http://a\\@b`, `0x7f.1`, `%31`, a tab, a full-width digit) is refused, never repaired, so
the host that is checked is the host that is called.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Literal, cast
from urllib.parse import quote

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_URL_CHARS = 8192  # signed storage URLs reach 2 to 4 thousand characters

# Sources: https://www.iana.org/assignments/iana-ipv4-special-registry,
# .../iana-ipv6-special-registry, .../ipv6-address-space, .../multicast-addresses.
# Rows that are "globally reachable" inside a refused block (such as 192.0.0.9) are refused with
# it: they serve protocols, not images. `ipaddress.is_global` is not used: it lets through
# multicast, site-local, 6to4 and NAT64.
_NOT_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(block)
    for block in (
        "0.0.0.0/8",  # "this network" (RFC 791); Linux connects 0.0.0.0 to itself
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # carrier-grade NAT (RFC 6598); Alibaba's metadata, 100.100.100.200
        "127.0.0.0/8",  # loopback (RFC 1122)
        "168.63.129.16/32",  # not IANA's: Azure's host agent, at a public address
        "169.254.0.0/16",  # link-local (RFC 3927); metadata of most clouds, 169.254.169.254
        "172.16.0.0/12",  # private (RFC 1918)
        "192.0.0.0/24",  # protocol assignments (RFC 6890); Oracle's metadata, 192.0.0.192
        "192.0.2.0/24",  # documentation (RFC 5737)
        "192.88.99.0/24",  # 6to4 relay anycast, withdrawn (RFC 7526)
        "192.168.0.0/16",  # private (RFC 1918)
        "198.18.0.0/15",  # benchmarks (RFC 2544)
        "198.51.100.0/24",  # documentation (RFC 5737)
        "203.0.113.0/24",  # documentation (RFC 5737)
        "224.0.0.0/4",  # multicast (RFC 5771)
        "240.0.0.0/4",  # reserved (RFC 1112) and broadcast (RFC 919)
        # Only 2000::/3 is global unicast (RFC 4291, 2.4); all else goes with the next three.
        "::/3",  # ::, ::1, IPv4-compatible, mapped ::ffff:0:0/96 and translated, discard 100::/64,
        # NAT64 64:ff9b::/96 (RFC 6052) and 64:ff9b:1::/48 (RFC 8215)
        "4000::/2",  # unassigned; segment routing 5f00::/16 (RFC 9602)
        "8000::/1",  # unassigned; unique local fc00::/7 (RFC 4193) with AWS's fd00:ec2::254,
        # link-local fe80::/10, site-local fec0::/10 (RFC 3879), multicast ff00::/8
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID (RFC 2928)
        "2001:db8::/32",  # documentation (RFC 3849)
        "2002::/16",  # 6to4: holds any IPv4 address (RFC 3056)
        "3fff::/20",  # documentation (RFC 9637)
    )
)

_URL = re.compile(r"(?P<scheme>[A-Za-z]+)://(?P<authority>[^/?#]*)(?P<target>[^#]*)(?:#.*)?")
_AUTHORITY = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# Any reader of numbers would take a name that ends so for an address (WHATWG URL, 3.5).
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class UrlNotAllowed(ValueError):
    """The URL may not be called; the message says why, and can be shown to a tenant."""


@dataclass(frozen=True)
class CheckedUrl:
    """The parts of a URL, as they go on the wire; all ASCII."""

    scheme: Literal["http", "https"]
    hostname: str  # lower case; an IPv6 address without its brackets
    port: int
    target: str  # path and query, at least "/"
    literal: Address | None  # the address, where the host is one and not a name

    @property
    def host_header(self) -> str:
        """Give the value of `Host`: brackets round IPv6, the port unless it is the default."""
        host = f"[{self.hostname}]" if isinstance(self.literal, IPv6Address) else self.hostname
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def is_public(ip: Address) -> bool:
    """Tell whether the address belongs to the public internet (see `_NOT_PUBLIC`)."""
    return not any(ip in block for block in _NOT_PUBLIC)


def is_allowed(
    ip: Address, port: int, *, allow_networks: Sequence[Network], ports: Collection[int]
) -> bool:
    """Tell whether one may connect: in a named network always, else if public and port fits."""
    if any(ip in network for network in allow_networks):
        return True
    return port in ports and is_public(ip)


def shown_url(url: str) -> str:
    """Give an address as results show it: without its query, where signatures stand, and its user.

    Results are kept for longer than inputs, and are passed on.
    """
    scheme, separator, rest = url.partition("://")
    host, slash, path = re.split("[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def check_url(
    url: str, *, allow_networks: Sequence[Network] = (), ports: Collection[int] = (80, 443)
) -> CheckedUrl:
    """Take a URL apart, without DNS, and refuse what can be seen to be wrong.

    A name with an unusual port passes while `allow_networks` names any network, since only its
    addresses can tell; `workers.egress` then decides.

    Raises:
        UrlNotAllowed: what is wrong and what to write instead.

    """
    scheme, authority, target = _split(url)
    checked = _with_host(scheme, authority, target)
    if checked.literal is not None:
        _check_literal(checked.literal, checked.port, allow_networks, ports)
    elif checked.port not in ports and not allow_networks:
        raise UrlNotAllowed(_wrong_port(checked.port, ports))
    return checked


def _split(url: str) -> tuple[Literal["http", "https"], str, str]:
    if len(url) > MAX_URL_CHARS:
        raise UrlNotAllowed(f"The URL has {len(url)} characters; at most {MAX_URL_CHARS} may be.")
    if any(char <= " " or char in "\x7f\\" for char in url):
        raise UrlNotAllowed(
            "The URL has a space, a control character or a backslash in it; "
            "write those with percent signs, a space as %20."
        )
    parts = _URL.fullmatch(url)
    scheme = parts["scheme"].lower() if parts else ""
    if parts is None or scheme not in DEFAULT_PORTS:
        raise UrlNotAllowed("The URL does not begin with http:// or https://; write it in full.")
    known = cast("Literal['http', 'https']", scheme)
    return known, parts["authority"], _ascii_target(parts["target"])


def _ascii_target(target: str) -> str:
    """Percent-encode what is not ASCII; leave the rest, which may be part of a signature."""
    rooted = target if target.startswith("/") else f"/{target}"
    try:
        return quote(rooted, safe="".join(map(chr, range(0x21, 0x7F))))
    except UnicodeEncodeError as err:
        raise UrlNotAllowed("The URL's path is not valid Unicode; percent-encode it.") from err


def _with_host(scheme: Literal["http", "https"], authority: str, target: str) -> CheckedUrl:
    if "@" in authority:
        raise UrlNotAllowed("The URL has a user name before its host; leave out all up to the @.")
    if not authority.isascii():
        raise UrlNotAllowed(
            f"The host {_shown(authority)} is not ASCII; write the name in its xn-- form."
        )
    parts = _AUTHORITY.fullmatch(authority)
    port = int(parts["port"] or DEFAULT_PORTS[scheme]) if parts else 0
    if parts is None or port > 65535:
        raise UrlNotAllowed(
            f"The host {_shown(authority)} cannot be read; write a name or an address, "
            "and after it at most a colon and a port."
        )
    literal = _ipv6(parts["v6"]) if parts["v6"] else _ipv4(parts["name"].lower())
    return CheckedUrl(scheme, str(literal or parts["name"]).lower(), port, target, literal)


def _ipv6(text: str) -> IPv6Address:
    try:
        return IPv6Address(text)
    except ValueError as err:
        raise UrlNotAllowed(f"The host [{text[:80]}] is not an IPv6 address.") from err


def _ipv4(name: str) -> IPv4Address | None:
    """Give the address that the name is, or None where it is a proper name."""
    labels = name.split(".")
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise UrlNotAllowed(
            f"The host {_shown(name)} is not a proper name: it needs labels of 1 to 63 letters, "
            "digits and hyphens with single dots between, and none at the end."
        )
    if not _NUMBER.fullmatch(labels[-1]):
        return None
    try:
        return IPv4Address(name)
    except ValueError as err:
        raise UrlNotAllowed(
            f"The host {_shown(name)} looks like a number; write an IPv4 address as four decimal "
            "numbers with dots between, without leading zeros."
        ) from err


def _check_literal(
    ip: Address, port: int, allow_networks: Sequence[Network], ports: Collection[int]
) -> None:
    if is_allowed(ip, port, allow_networks=allow_networks, ports=ports):
        return
    if is_public(ip):
        raise UrlNotAllowed(_wrong_port(port, ports))
    raise UrlNotAllowed(
        f"The address {ip} is not on the public internet; give one that anyone could open. (An "
        "operator can allow a network in the settings.)"
    )


def _wrong_port(port: int, ports: Collection[int]) -> str:
    allowed = ", ".join(map(str, sorted(ports)))
    return f"Port {port} may not be called; serve the URL on one of: {allowed}."


def _shown(text: str) -> str:
    """Give text of a stranger in a form that is safe to show: short, quoted, ASCII."""
    return ascii(text[:80])
