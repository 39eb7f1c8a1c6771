"""What goes out to a server, and to which address."""

from ipaddress import ip_network

import pytest

from tests.contract.egress.world import SLOW, always, answer, failure, headers_of, names


def test_get_gives_the_body_and_sends_the_headers_it_should(world):
    server = world.server(always(answer(b"\x89PNG\r\n\x00")))
    url = f"http://images.example:{server.port}/a%20b.jpg?sig=x%2Fy&z#page"
    assert world.egress().get(url) == b"\x89PNG\r\n\x00"
    assert server.requests[0].startswith(b"GET /a%20b.jpg?sig=x%2Fy&z HTTP/1.1\r\n")
    headers = headers_of(server.requests[0])
    assert headers.pop("user-agent").startswith("Pixelmill/")
    assert headers == {
        "host": f"images.example:{server.port}",
        "accept": "*/*",
        "accept-encoding": "identity",
    }


def test_no_cookie_comes_back(world):
    server = world.server(always(answer(extra=["Set-Cookie: a=b; Path=/"])))
    egress = world.egress()
    for _ in range(2):
        egress.get(f"http://images.example:{server.port}/")
    assert len(server.requests) == 2
    assert not any("cookie" in headers_of(request) for request in server.requests)


def test_proxies_and_netrc_of_the_environment_are_ignored(world, monkeypatch, tmp_path):
    proxy = world.server(always(answer(b"from the proxy")))
    server = world.server(always(answer(b"direct")))
    netrc = tmp_path / "netrc"
    netrc.write_text("machine images.example login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    assert world.egress().get(f"http://images.example:{server.port}/") == b"direct"
    assert proxy.connections == 0
    assert "authorization" not in headers_of(server.requests[0])


def test_post_delivers_body_and_headers_and_gives_the_reply(world):
    server = world.server(
        always(
            answer(b"thanks", status="202 Accepted", extra=["Retry-After: 7", "X-A: 1", "x-a: 2"])
        )
    )
    body = b'{"type": "job.completed"}'
    reply = world.egress().post(
        f"http://hooks.example:{server.port}/in", body, {"webhook-id": "evt_1"}
    )
    assert (reply.status, reply.body) == (202, b"thanks")
    assert reply.headers["retry-after"] == "7"
    assert reply.headers["x-a"] == "1, 2"
    assert 0 < reply.elapsed_s < SLOW
    head, _, sent = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /in HTTP/1.1\r\n")
    assert sent == body
    headers = headers_of(server.requests[0])
    assert headers["webhook-id"] == "evt_1"
    assert headers["host"] == f"hooks.example:{server.port}"
    assert headers["content-length"] == str(len(body))


def test_an_ipv6_address_is_dialled_too(world):
    try:
        server = world.server(always(answer()), host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    egress = world.egress(allow_networks=(ip_network("::1"),))
    assert egress.get(f"http://[::1]:{server.port}/") == b"image"
    assert headers_of(server.requests[0])["host"] == f"[::1]:{server.port}"


def test_the_name_is_looked_up_once_and_exactly_the_checked_address_is_dialled(world, dialled):
    server = world.server(always(answer()), host="127.0.0.2")
    asked = []

    def resolve(host, port, family, kind):
        asked.append(host)
        return names("127.0.0.2")(host, port, family, kind)

    world.egress(resolve).get(f"http://images.example:{server.port}/")
    assert asked == ["images.example"]
    assert dialled == [("socket.connect", ("127.0.0.2", server.port))]


def test_a_name_that_turns_to_another_address_is_refused_even_with_a_connection_open(world):
    outside = world.server(always(answer(b"outside")), host="127.0.0.2")
    inside = world.server(always(answer(b"inside")), port=outside.port)
    answers = iter(["127.0.0.2", "127.0.0.1", "127.0.0.1"])

    def rebinding(host, port, family, kind):
        return names(next(answers))(host, port, family, kind)

    egress = world.egress(rebinding, allow_networks=(ip_network("127.0.0.2/32"),))
    url = f"http://rebind.example:{outside.port}/"
    assert egress.get(url) == b"outside"
    assert failure(egress.get, url).code == "url_not_allowed"
    assert failure(egress.post, url, b"", {}).code == "url_not_allowed"
    assert inside.connections == 0


def test_the_guard_is_shut_by_default(world):
    server = world.server(always(answer()))
    egress = world.egress(allow_networks=(), ports=frozenset({server.port}))
    for host in ("images.example", "localhost", "127.0.0.1"):
        error = failure(egress.get, f"http://{host}:{server.port}/")
        assert error.code == "url_not_allowed"
    assert server.connections == 0


def test_the_next_address_is_tried_when_one_does_not_answer(world):
    server = world.server(always(answer()), host="127.0.0.2")
    egress = world.egress(names("127.0.0.3", "127.0.0.2"))
    assert egress.get(f"http://images.example:{server.port}/") == b"image"


def test_a_refused_connection_fails_without_telling_the_address(world):
    server = world.server(always(answer()))
    server.close()
    error = failure(world.egress().get, f"http://images.example:{server.port}/")
    assert (error.code, error.retryable) == ("url_fetch_failed", True)
    assert "127.0.0.1" not in str(error)


@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
def test_redirects_are_not_followed(world, status, dialled):
    server = world.server(
        always(answer(status=f"{status} Go", extra=["Location: http://169.254.169.254/latest/"]))
    )
    egress = world.egress()
    url = f"http://images.example:{server.port}/"
    error = failure(egress.get, url)
    assert (error.code, error.retryable, error.status) == ("url_fetch_failed", False, status)
    assert "redirects are not followed" in str(error)
    assert egress.post(url, b"", {}).status == status
    assert {where for _, where in dialled} == {("127.0.0.1", server.port)}
