"""Credentials are kept as they are needed, and say nothing that could steer a request."""

import json
from ipaddress import ip_network
from typing import Any

import pytest

from jobs.base.settings import SettingsError, load_settings
from jobs.buckets.credentials import (
    Credentials,
    CredentialsError,
    Kind,
    check_credentials,
    check_endpoint,
    server_credentials,
)

ACCOUNT = {"client_email": "a@b", "private_key": "p", "private_key_id": "1"}
LOCAL = (ip_network("127.0.0.0/8"),)


def test_a_service_account_loses_the_addresses_that_it_names() -> None:
    said = ACCOUNT | {"gcs_base_url": "http://169.254.169.254", "token_uri": "http://evil"}
    for given in (said, json.dumps(said)):
        kept = check_credentials("gs", {"service_account": given})
        assert json.loads(kept["service_account"]) == ACCOUNT


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("s3", {"access_key_id": "only"}),
        ("s3", {"session_token": "only"}),
        ("s3", {"access_key_id": "a", "secret_access_key": "b\r\nx: y"}),
        ("s3", {"region": "evil.example/"}),
        ("s3", {"endpoint": "http://169.254.169.254"}),
        ("s3", {"role_arn": "arn"}),
        ("gs", {"service_account": "/etc/passwd"}),
        ("gs", {"service_account": {"client_email": "a"}}),
        ("az", {"account_key": "a"}),
        ("az", {"account": "evil.example/x"}),
        ("az", {"account": "acc", "account_key": "a", "sas_token": "b"}),
    ],
)
def test_what_could_steer_or_lacks_is_refused_and_not_repeated(kind: Kind, said: Any) -> None:
    with pytest.raises(CredentialsError) as refused:
        check_credentials(kind, said)
    assert "passwd" not in str(refused.value)
    assert "\r" not in str(refused.value)


def test_without_keys_a_bucket_is_read_as_anybody_may() -> None:
    assert check_credentials("s3", {}) == {"region": "us-east-1"}
    assert check_credentials("gs", {}) == {}


def test_an_endpoint_is_https_and_public_unless_the_operator_named_its_network() -> None:
    assert check_endpoint("https://Store.Example", ()) == "https://store.example"
    assert check_endpoint("http://127.0.0.1:9000", LOCAL) == "http://127.0.0.1:9000"
    for endpoint in (
        "http://store.example",
        "https://127.0.0.1",
        "https://169.254.169.254",
        "https://store.example/path",
        "https://user@store.example",
        "https://store.example?x",
        "https://store.example#x",
        "ftp://store.example",
        "https://[::1]",
    ):
        with pytest.raises(CredentialsError):
            check_endpoint(endpoint, ())


def test_credentials_do_not_show_in_their_own_text() -> None:
    assert "hidden" not in repr(Credentials("s3", "", {"secret_access_key": "hidden"}))


@pytest.mark.parametrize(
    "value",
    ["{", "[]", '{"s3": 1}', '{"ftp": {}}', '{"s3": {"access_key_id": "hidden"}}'],
)
def test_bad_credentials_of_the_server_are_told_without_their_value(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("PIXELMILL_BUCKET_CREDENTIALS", value)
    with pytest.raises(SettingsError) as refused:
        server_credentials(load_settings())
    assert "PIXELMILL_BUCKET_CREDENTIALS" in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_a_bad_key_for_connections_is_told_without_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIXELMILL_CONNECTION_KEY", "hidden")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert "PIXELMILL_CONNECTION_KEY" in str(refused.value)
    assert "hidden" not in str(refused.value)
