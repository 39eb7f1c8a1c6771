"""From a checked URL to the addresses that may be dialled: one lookup, judged as a whole."""

import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any

from jobs.inputs.addresses import Address, CheckedUrl, is_allowed
from workers.egress.policy import EgressError, EgressPolicy
from workers.egress.sockets import Deadline

# Called as `resolve(host, port, family, type)`; answers like `socket.getaddrinfo`.
Resolve = Callable[[str, int, int, int], Sequence[tuple[Any, ...]]]

# A lookup cannot be interrupted: with a name server that is slow on purpose each one holds its
# thread for as long as the system's resolver tries (resolv.conf: 10 to 30 s).
LOOKUP_THREADS = 32


class Resolver:
    """Looks names up within a deadline and refuses those with any forbidden answer."""

    def __init__(self, policy: EgressPolicy, resolve: Resolve) -> None:
        self._policy = policy
        self._resolve = resolve
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="egress-lookup")

    def addresses(self, url: CheckedUrl, deadline: Deadline) -> list[Address]:
        """Give the addresses of the URL's host, each one allowed, in the resolver's order.

        Raises:
            EgressError: any address is forbidden, or the name has none, or no answer came in time.

        """
        found = [url.literal] if url.literal else self._look_up(url, deadline)
        rule = self._policy
        for ip in found:
            # One bad answer condemns the name: an honest one has no reason to mix the two.
            if not is_allowed(ip, url.port, allow_networks=rule.allow_networks, ports=rule.ports):
                raise EgressError(
                    f"The host {url.hostname} may not be called at port {url.port}: it has to be "
                    "on the public internet, at a permitted port. Correct the URL, or upload "
                    "the file.",
                    code="url_not_allowed",
                    retryable=False,
                )
        return found

    def close(self) -> None:
        """Wait for lookups in progress and end their threads."""
        self._threads.shutdown(cancel_futures=True)

    def _look_up(self, url: CheckedUrl, deadline: Deadline) -> list[Address]:
        asked = self._threads.submit(
            self._resolve, url.hostname, url.port, 0, int(socket.SOCK_STREAM)
        )
        try:
            answers = asked.result(timeout=deadline.left())
            # An answer may hold an address twice, once for each protocol.
            found = list(dict.fromkeys(ip_address(answer[4][0]) for answer in answers))
        except TimeoutError as err:
            asked.cancel()
            raise EgressError(
                f"The name {url.hostname} was not resolved in time; try again later.",
                code="url_timeout",
                retryable=True,
            ) from err
        except (OSError, ValueError) as err:  # ValueError: no address, or no encodable name
            raise _unknown(url.hostname, err) from err
        if not found:
            raise _unknown(url.hostname, None)
        return found


def _unknown(host: str, err: Exception | None) -> EgressError:
    passing = isinstance(err, socket.gaierror) and err.errno == socket.EAI_AGAIN
    return EgressError(
        f"The name {host} could not be resolved; check its spelling.",
        code="url_fetch_failed",
        retryable=passing,
    )
