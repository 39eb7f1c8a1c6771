"""What the guard refuses before it opens a socket: names are answered by a hand-made resolver."""

import socket
import sys
import threading
from contextlib import closing
from ipaddress import ip_network

import pytest

from workers.egress import Egress, EgressError, EgressPolicy

LOOPBACK = (ip_network("127.0.0.0/8"),)
GOOD = "93.184.215.14"

# An audit hook cannot be taken off again, so there is one, and it writes only when asked to.
_RECORDS: list[list[str]] = []
sys.addaudithook(
    lambda event, args: (
        _RECORDS[-1].append(event) if _RECORDS and event.startswith("socket.") else None
    )
)


@pytest.fixture
def socket_events():
    """Give the names of the socket events that Python itself reports from here on."""
    _RECORDS.append([])
    yield _RECORDS[-1]
    _RECORDS.pop()


class Names:
    """A resolver with fixed answers, which counts its calls; an exception is raised."""

    def __init__(self, *answer):
        self.answer = answer
        self.asked = []

    def __call__(self, host, port, family, kind):
        self.asked.append(host)
        for address in self.answer:
            if isinstance(address, Exception):
                raise address
        return [(0, kind, 6, "", (address, port)) for address in self.answer]


class Guard:
    """An Egress under the default policy, whose names the test sets."""

    def __init__(self):
        self.names = Names(GOOD)
        self.egress = Egress(EgressPolicy(), resolve=lambda *question: self.names(*question))


@pytest.fixture(scope="module")
def shared_guard():
    # Reading the public authorities takes 20 ms, too long for each of 150 tests.
    guard = Guard()
    yield guard
    guard.egress.close()


@pytest.fixture
def guard(shared_guard):
    shared_guard.names = Names(GOOD)
    return shared_guard


def refusal(egress, url):
    with pytest.raises(EgressError) as caught:
        egress.get(url)
    with pytest.raises(EgressError) as posted:
        egress.post(url, b"{}", {})
    assert posted.value.code == caught.value.code
    return caught.value


BAD = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("0.0.0.0", "224.0.0.1", "255.255.255.255", "168.63.129.16", "198.18.0.1"),
    *("::1", "::", "::ffff:127.0.0.1", "::ffff:93.184.215.14", "fd00:ec2::254", "fe80::1"),
    *("fe80::1%1", "fec0::1", "ff02::1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::"),
    *("2001:0:7f00:1::", "2001:db8::1"),
]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("order", ["alone", "first", "last"])
def test_a_name_with_any_forbidden_address_is_refused_without_a_connection(
    bad, order, guard, socket_events
):
    guard.names = Names(*{"alone": [bad], "first": [bad, GOOD], "last": [GOOD, GOOD, bad]}[order])
    error = refusal(guard.egress, "http://images.example/a.jpg")
    assert (error.code, error.retryable, error.status) == ("url_not_allowed", False, None)
    assert socket_events == []
    assert guard.names.asked == ["images.example"] * 2  # once for the GET, once for the POST
    # The tenant learns no address.
    assert "images.example" in str(error)
    assert bad not in str(error)
    assert GOOD not in str(error)


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://x.example/", ["127.0.0.1", "10.0.0.1"]),
        ("http://x.example:6379/", [GOOD]),
        ("http://x.example:6379/", ["127.0.0.1", GOOD]),
    ],
    ids=["another private network", "public at an unusual port", "both"],
)
def test_an_allowed_network_frees_a_name_only_if_all_its_addresses_may_be_called(
    url, addresses, socket_events
):
    policy = EgressPolicy(allow_networks=LOOPBACK)
    with closing(Egress(policy, resolve=Names(*addresses))) as egress:
        assert refusal(egress, url).code == "url_not_allowed"
    assert socket_events == []


def test_the_ports_of_the_policy_count():
    policy = EgressPolicy(ports=frozenset({443}))
    with closing(Egress(policy, resolve=Names(GOOD))) as egress:
        egress.check("https://x.example/")
        with pytest.raises(EgressError, match="Port 80"):
            egress.check("http://x.example/")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://017700000001/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://images.example@127.0.0.1/",
        "http://127.0.0.1\\@images.example/",
        "http://images.example/\r\nHost: evil",
        "http://b\u00fccher.example/",
        "http://images.example:22/",
        "ftp://images.example/",
    ],
)
def test_what_is_written_is_judged_before_any_name_is_looked_up(url, guard, socket_events):
    error = refusal(guard.egress, url)
    assert (error.code, error.retryable) == ("url_not_allowed", False)
    with pytest.raises(EgressError) as caught:
        guard.egress.check(url)
    assert str(caught.value) == str(error)
    assert guard.names.asked == []
    assert socket_events == []


def test_check_passes_a_proper_url_without_dns(guard, socket_events):
    guard.names = Names("127.0.0.1")
    guard.egress.check("https://images.example/a.jpg?size=large")
    assert guard.names.asked == []
    assert socket_events == []


@pytest.mark.parametrize(
    ("answer", "retryable"),
    [
        ([socket.gaierror(socket.EAI_NONAME, "Name or service not known")], False),
        ([socket.gaierror(socket.EAI_AGAIN, "Temporary failure")], True),
        ([OSError("no resolver")], False),
        ([UnicodeError("label too long")], False),
        ([], False),
        (["not an address"], False),
    ],
)
def test_a_name_without_addresses_fails_and_only_a_passing_failure_is_worth_a_retry(
    answer, retryable, guard
):
    guard.names = Names(*answer)
    error = refusal(guard.egress, "http://nowhere.example/")
    assert (error.code, error.retryable) == ("url_fetch_failed", retryable)
    assert "nowhere.example" in str(error)


def test_a_name_server_that_never_answers_costs_no_more_than_the_total_time():
    release = threading.Event()

    def resolve(*_):
        release.wait(10)
        return []

    egress = Egress(EgressPolicy(total_timeout_s=0.05), resolve=resolve)
    try:
        with pytest.raises(EgressError) as caught:
            egress.get("http://slow.example/")
    finally:
        assert not release.is_set()
        release.set()
        egress.close()
    assert (caught.value.code, caught.value.retryable) == ("url_timeout", True)


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "host", "Content-Length", "Transfer-Encoding", "Connection", "User-Agent"),
        *("Accept-Encoding", "Expect", "Upgrade", "Proxy-Authorization", "X Y", "X\r\nY", "", "X:"),
    ],
)
def test_a_caller_cannot_set_the_headers_that_steer_a_request(name, guard, socket_events):
    with pytest.raises(ValueError, match="leave it out"):
        guard.egress.post("http://hooks.example/", b"", {name: "x"})
    assert socket_events == []


@pytest.mark.parametrize("value", ["a\r\nHost: evil", "a\nb", "\x00", "b\u00fccher", " a", "a\t"])
def test_a_header_value_cannot_start_another_header(value, guard, socket_events):
    with pytest.raises(ValueError, match="printable ASCII"):
        guard.egress.post("http://hooks.example/", b"", {"X-Note": value})
    assert socket_events == []


@pytest.mark.parametrize("field", ["connect_timeout_s", "total_timeout_s", "max_bytes"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_policy_without_a_limit_is_refused(field, value):
    with pytest.raises(ValueError, match=field):
        EgressPolicy(**{field: value})


def test_a_closed_egress_says_so():
    egress = Egress(EgressPolicy(), resolve=Names(GOOD))
    egress.close()
    with pytest.raises(RuntimeError, match="closed"):
        egress.get("http://images.example/")
