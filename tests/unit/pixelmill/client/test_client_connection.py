"""Where server and key come from."""

import json

import pytest

from pixelmill import Client, NotConfigured
from pixelmill.wire.connection import find_connection


@pytest.fixture
def stack(tmp_path):
    members = {"url": "http://127.0.0.1:1234", "api_key": "stack-key", "pids": [1]}
    (tmp_path / "stack.json").write_text(json.dumps(members))
    return tmp_path


def test_arguments_come_before_the_environment(stack):
    env = {"PIXELMILL_URL": "http://env", "PIXELMILL_API_KEY": "env-key"}
    found = find_connection("http://arg/", "arg-key", stack, env)
    assert (found.url, found.api_key) == ("http://arg", "arg-key")


def test_the_environment_comes_before_the_local_stack(stack):
    env = {"PIXELMILL_URL": "http://env", "PIXELMILL_API_KEY": "env-key"}
    assert find_connection(data=stack, env=env).url == "http://env"


def test_the_local_stack_is_found_by_its_folder(stack):
    for found in (
        find_connection(data=stack, env={}),
        find_connection(env={"PIXELMILL_DATA": str(stack)}),
    ):
        assert (found.url, found.api_key) == ("http://127.0.0.1:1234", "stack-key")
        assert found.source == str(stack / "stack.json")
        assert found.is_local


def test_the_stacks_key_is_not_sent_to_another_server(stack):
    with pytest.raises(NotConfigured, match="PIXELMILL_API_KEY"):
        find_connection("http://elsewhere", None, stack, {})


def test_nothing_known_says_what_to_do(tmp_path):
    with pytest.raises(NotConfigured, match="pixelmill up"):
        find_connection(data=tmp_path, env={})


def test_a_broken_stack_file_is_named(tmp_path):
    (tmp_path / "stack.json").write_text("{")
    with pytest.raises(NotConfigured, match=r"stack\.json cannot be read"):
        find_connection(data=tmp_path, env={})


@pytest.mark.parametrize(
    "url",
    ["example.org", "ftp://example.org", "http://", "http://h:abc", "http://h:99999", "http://h:0",
     "http://[::1", "http://\x00", "http://:80"],
)  # fmt: skip
def test_an_address_that_is_no_url_is_refused(url):
    with pytest.raises(NotConfigured, match="should look like"):
        find_connection(url, "key", env={})


def test_the_version_in_an_address_is_not_doubled():
    assert find_connection("http://a:1/v1/", "k", env={}).url == "http://a:1"


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:8080", True),
        ("http://LOCALHOST:1", True),
        ("http://localhost.", True),
        ("http://api.localhost", True),
        ("http://localhost.example.com", False),
        ("http://10.0.0.1", False),
        ("https://pixelmill.example.com", False),
    ],
)
def test_this_machine_itself_is_known_by_all_its_names(url, is_local):
    assert find_connection(url, "key", env={}).is_local is is_local


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines", "tab\there"])
def test_a_key_that_cannot_stand_in_a_header_is_refused_and_not_shown(key):
    with pytest.raises(NotConfigured, match="PIXELMILL_API_KEY") as caught:
        find_connection("http://h", key, env={})
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        ("HTTPS_PROXY", "gopher://127.0.0.1:1"),
        ("HTTP_PROXY", "http://[::1"),
        ("SSL_CERT_FILE", "/nowhere/at/all"),
    ],
)
def test_what_the_environment_wants_and_nobody_can_do_is_told(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(NotConfigured, match=name):
        Client("https://elsewhere.example", "key")
    # This machine is called directly.
    Client("http://127.0.0.1:1", "key").close()
