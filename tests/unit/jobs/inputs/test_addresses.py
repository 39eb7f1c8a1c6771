"""What may be called: judged from the written URL alone, without DNS."""

from ipaddress import ip_address, ip_network

import pytest

from jobs.inputs.addresses import MAX_URL_CHARS, UrlNotAllowed, check_url, is_allowed, is_public

LOOPBACK = (ip_network("127.0.0.0/8"),)

NOT_PUBLIC = [
    # IPv4: both ends of each block
    *("0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255"),
    *("100.100.100.200", "127.0.0.1", "127.255.255.255", "168.63.129.16", "169.254.0.0"),
    *("169.254.169.254", "169.254.255.255", "172.16.0.0", "172.31.255.255", "192.0.0.0"),
    *("192.0.0.9", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.0", "192.168.255.255"),
    *("198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
    *("239.255.255.255", "240.0.0.1", "255.255.255.255"),
    # IPv6: unspecified, loopback, IPv4 inside IPv6 in all its forms
    *("::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:8.8.8.8"),
    *("::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1"),
    *("2002:7f00:1::", "2002:808:808::1", "2001::1", "2001:0:7f00:1::"),
    # and the rest
    *("100::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "3fff::1", "5f00::1"),
    *("fc00::1", "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"),
    *("126.255.255.255", "128.0.0.0", "168.63.129.15", "169.253.255.255", "169.255.0.0"),
    *("172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0"),
    *("198.17.255.255", "198.20.0.0", "223.255.255.255"),
    *("2001:200::1", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1", "2003::1"),
]


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_an_address_of_a_special_block_is_not_public(text):
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_beside_a_special_block_is_public(text):
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_a_url_with_such_an_address_is_refused(text):
    host = f"[{text}]" if ":" in text else text
    for scheme in ("http", "https"):
        with pytest.raises(UrlNotAllowed, match="not on the public internet"):
            check_url(f"{scheme}://{host}/a.jpg")


@pytest.mark.parametrize(
    "host",
    [
        *("0x7f.1", "2130706433", "017700000001", "127.1", "127.0.1", "0x7f000001", "0177.0.0.1"),
        *("127.0.0.01", "0x7f.0x0.0x0.0x1", "0", "0x", "1.2.3.4.5", "256.1.1.1", "0X7F.1"),
        *("0x08080808", "8.8.2056", "4294967296", "foo.0x7f", "a.1"),
    ],
)
def test_an_odd_form_of_an_ipv4_address_is_refused_even_where_its_network_is_allowed(host):
    with pytest.raises(UrlNotAllowed, match="four decimal numbers"):
        check_url(f"http://{host}/", allow_networks=LOOPBACK)


@pytest.mark.parametrize(
    "url",
    [
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://example.com@127.0.0.1/",
        "http://@example.com/",
        "http://example.com:80@evil.example/",
    ],
)
def test_a_user_name_before_the_host_is_refused_and_not_repeated(url):
    with pytest.raises(UrlNotAllowed, match="user name") as caught:
        check_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("char", [*"\t\r\n \\\x00\x0b\x1f\x7f"])
@pytest.mark.parametrize(
    "url", ["{}http://example.com/", "http://exa{}mple.com/", "http://example.com/a{}b"]
)
def test_whitespace_control_characters_and_backslashes_are_refused(url, char):
    with pytest.raises(UrlNotAllowed, match="backslash"):
        check_url(url.format(char))


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "javascript:alert"),
        *("//example.com/", "example.com", "", "http:example.com", "http:/example.com", "s3://b/k"),
        *("httpx://example.com/", "http\u017f://example.com/", "data:,a", "unix://sock"),
    ],
)
def test_only_full_http_and_https_urls_pass(url):
    with pytest.raises(UrlNotAllowed, match="http:// or https://"):
        check_url(url)


@pytest.mark.parametrize(
    "authority",
    [
        *("", ":80", "[::1", "::1", "[::1]x", "[fe80::1%25eth0]", "[fe80::1%eth0]", "%31.com"),
        *("127.0.0.1%00.example.com", "example.com:80:80", "example.com:", "example.com:http"),
        *("example.com:0", "example.com:080", "example.com:65536", "example.com:-1", "a,b"),
        *("example.com:99999999999", "[]", "[v1.a]", "exa'mple.com", "a;b", "a&b", "$(id).com"),
    ],
)
def test_a_host_that_cannot_be_read_in_one_way_only_is_refused(authority):
    with pytest.raises(UrlNotAllowed, match="cannot be read"):
        check_url(f"http://{authority}/")


@pytest.mark.parametrize("text", ["1.2.3.4", ":::", "12345::", "::1.2.3.256", "1:2:3:4:5:6:7:8:9"])
def test_brackets_hold_an_ipv6_address(text):
    with pytest.raises(UrlNotAllowed, match="not an IPv6 address"):
        check_url(f"http://[{text}]/")


@pytest.mark.parametrize(
    "name", [".", "example.com.", "127.0.0.1.", ".com", "a..b", "-a.com", "a-.com", "a" * 64]
)
def test_a_name_with_improper_labels_is_refused(name):
    with pytest.raises(UrlNotAllowed, match="proper name"):
        check_url(f"http://{name}/")


def test_a_name_of_more_than_253_characters_is_refused():
    assert check_url("http://" + ".".join(["a" * 62] * 4) + "/")  # 251
    with pytest.raises(UrlNotAllowed, match="proper name"):
        check_url("http://" + ".".join(["a" * 63] * 4) + "/")  # 255


@pytest.mark.parametrize(
    "host",
    [
        "b\u00fccher.example",
        "\uff11\uff12\uff17.0.0.1",  # full-width digits that NFKC makes 127
        "127\u30020\u30020\u30021",  # ideographic full stops
        "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460",  # circled digits
        "exam\u200bple.com",
        "localho\u017ft",
        "example.com\uff0f",
    ],
)
def test_a_host_that_is_not_ascii_is_refused(host):
    with pytest.raises(UrlNotAllowed, match="xn--") as caught:
        check_url(f"http://{host}/")
    assert str(caught.value).isascii()


@pytest.mark.parametrize("port", [22, 25, 6379, 8080, 65535])
@pytest.mark.parametrize("host", ["example.com", "8.8.8.8", "[2606:4700::1111]"])
def test_a_port_out_of_the_rule_is_refused(host, port):
    with pytest.raises(UrlNotAllowed, match=rf"Port {port} .* 80, 443"):
        check_url(f"http://{host}:{port}/")


def test_either_port_goes_with_either_scheme():
    assert check_url("http://example.com:443/").port == 443
    assert check_url("https://example.com:80/").port == 80


def test_an_allowed_network_frees_its_addresses_from_block_and_port_rule():
    assert check_url("http://127.0.0.1:8123/", allow_networks=LOOPBACK).port == 8123
    with pytest.raises(UrlNotAllowed, match="public internet"):
        check_url("http://10.0.0.1/", allow_networks=LOOPBACK)
    with pytest.raises(UrlNotAllowed, match="Port 8123"):
        check_url("http://8.8.8.8:8123/", allow_networks=LOOPBACK)


def test_an_allowed_ipv4_network_does_not_free_the_same_address_inside_ipv6():
    with pytest.raises(UrlNotAllowed, match="public internet"):
        check_url("http://[::ffff:127.0.0.1]/", allow_networks=LOOPBACK)


def test_a_name_with_an_unusual_port_waits_for_its_addresses_where_a_network_is_allowed():
    checked = check_url("http://images.local:8123/", allow_networks=LOOPBACK)
    rule = {"allow_networks": LOOPBACK, "ports": {80, 443}}
    assert checked.literal is None
    assert is_allowed(ip_address("127.0.0.1"), 8123, **rule)
    assert not is_allowed(ip_address("8.8.8.8"), 8123, **rule)
    assert not is_allowed(ip_address("10.0.0.1"), 80, **rule)


def test_the_parts_come_as_they_go_on_the_wire():
    checked = check_url("HTTPS://Images.Example.COM/a%20b.jpg?X-Sig=a+b/%2F[1]|{2}#page")
    assert checked.scheme == "https"
    assert checked.hostname == checked.host_header == "images.example.com"
    assert checked.port == 443
    assert checked.target == "/a%20b.jpg?X-Sig=a+b/%2F[1]|{2}"


def test_a_path_that_is_not_ascii_is_percent_encoded():
    assert check_url("http://example.com/Z\u00fcrich.jpg").target == "/Z%C3%BCrich.jpg"
    assert check_url("http://example.com/\uff20evil").target == "/%EF%BC%A0evil"
    with pytest.raises(UrlNotAllowed, match="Unicode"):
        check_url("http://example.com/\ud800")


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://example.com", "/"),
        ("http://example.com?a=1", "/?a=1"),
        ("http://example.com#@127.0.0.1/", "/"),
        ("http://example.com/@127.0.0.1:80//", "/@127.0.0.1:80//"),
    ],
)
def test_the_host_ends_at_the_first_slash_question_mark_or_hash(url, target):
    checked = check_url(url)
    assert (checked.hostname, checked.target) == ("example.com", target)


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("http://example.com:80/", "example.com"),
        ("https://example.com:80/", "example.com:80"),
        ("http://8.8.8.8/", "8.8.8.8"),
        ("http://[2606:4700:0::1111]/", "[2606:4700::1111]"),
        ("https://[2606:4700::1111]:80/", "[2606:4700::1111]:80"),
        ("http://xn--bcher-kva.example/", "xn--bcher-kva.example"),
        ("http://under_score.example/", "under_score.example"),
        ("http://r3---sn.example/", "r3---sn.example"),
    ],
)
def test_the_host_header_is_the_host_and_an_unusual_port(url, header):
    assert check_url(url).host_header == header


def test_a_url_longer_than_the_limit_is_refused():
    assert check_url("http://example.com/".ljust(MAX_URL_CHARS, "a"))
    with pytest.raises(UrlNotAllowed, match=str(MAX_URL_CHARS)):
        check_url("http://example.com/".ljust(MAX_URL_CHARS + 1, "a"))


def test_a_message_about_a_host_is_short():
    with pytest.raises(UrlNotAllowed) as caught:
        check_url("http://" + "a" * 5000 + "/")
    assert len(str(caught.value)) < 400
