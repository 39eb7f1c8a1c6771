"""Settings: read once, and a bad one is named with what would be good."""

import os
from ipaddress import ip_network

import pytest

from jobs.base.settings import Settings, SettingsError, load_settings, sqlite_path


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith("PIXELMILL_"):
            monkeypatch.delenv(name)


BAD = [
    ("DATABASE_URL", "nonsense", "pattern"),
    ("DATABASE_URL", "mysql://host/db", "postgresql"),
    ("REDIS_URL", "localhost:6379", "redis"),
    ("STORAGE_URL", "/var/blobs", "pattern"),
    ("POOL_FOR_JOBS", "tpu", "'cpu' or 'gpu'"),
    ("MAX_ITEMS", "0", "greater than or equal to 1"),
    ("MAX_ITEMS", "many", "integer"),
    ("MAX_BODY_BYTES", "-1", "1024"),
    ("LEASE_S", "0", "greater than 0"),
    ("LEASE_S", "nan", "greater than 0"),
    ("LEASE_S", "", "number"),
    ("RENEW_S", "soon", "number"),
    ("STALL_S", "-5", "greater than 0"),
    ("RATE_LIMIT", "foo", "1200/minute"),
    ("LINK_RATE_LIMIT", "often", "empty for none"),
    ("API_THREADS", "none", "integer"),
    ("GRACE_S", "abc", "number"),
    ("GRACE_S", "-1", "greater than or equal to 0"),
    ("MAX_ATTEMPTS", "0", "greater than or equal to 1"),
    ("SHARDS_IN_FLIGHT", "65", "64"),
    ("BATCH_WAIT_MS", "1001", "1000"),
    ("EGRESS_ALLOW", "10.0.0.0/8,nonsense", "IPv"),
    ("EGRESS_ALLOW", "10.0.0.1/8", "IPv"),
    ("WEBHOOK_DELAYS_S", "5,later", "number"),
    ("OUTPUT_DAYS", "0", "greater than 0"),
]


@pytest.mark.parametrize(("name", "value", "told"), BAD)
def test_a_bad_variable_is_named_with_its_value_and_what_is_wrong(monkeypatch, name, value, told):
    monkeypatch.setenv(f"PIXELMILL_{name}", value)
    with pytest.raises(SettingsError, match=told) as caught:
        load_settings()
    assert str(caught.value).startswith(f"PIXELMILL_{name}={value!r}")


def test_a_lease_must_outlive_two_renewals(monkeypatch):
    monkeypatch.setenv("PIXELMILL_RENEW_S", "16")
    with pytest.raises(SettingsError, match=r"PIXELMILL_RENEW_S=16\.0 .* PIXELMILL_LEASE_S=30"):
        load_settings()
    monkeypatch.setenv("PIXELMILL_RENEW_S", "15")
    assert load_settings().renew_s == 15


def test_a_password_in_a_bad_url_is_not_shown(monkeypatch):
    monkeypatch.setenv("PIXELMILL_DATABASE_URL", "postgres://me:sesame@db/pixelmill")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "sesame" not in str(caught.value)
    assert "@db/pixelmill" in str(caught.value)


def test_lists_are_written_with_commas(monkeypatch):
    monkeypatch.setenv("PIXELMILL_EGRESS_ALLOW", " 10.0.0.0/8 ,fd00::/8,")
    monkeypatch.setenv("PIXELMILL_WEBHOOK_DELAYS_S", "1, 2.5")
    settings = load_settings()
    assert settings.egress_allow == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert settings.webhook_delays_s == (1, 2.5)
    monkeypatch.setenv("PIXELMILL_EGRESS_ALLOW", "")
    assert load_settings().egress_allow == ()


def test_webhooks_are_retried_as_the_design_says():
    hours = [2, 5, 10, 14, 20, 24]
    assert Settings().webhook_delays_s == (5, 300, 1800, *(hour * 3600 for hour in hours))


def test_settings_cannot_be_changed_later():
    with pytest.raises(ValueError, match="frozen"):
        load_settings().lease_s = 1


def test_the_file_of_an_sqlite_url_is_found():
    assert str(sqlite_path("sqlite:////var/x.db")) == "/var/x.db"
    assert str(sqlite_path("sqlite:///x.db")) == "x.db"
    assert load_settings().is_sqlite
    assert not load_settings(database_url="postgresql://host/db").is_sqlite
    assert str(sqlite_path("sqlite:////a b/%C3%A9%3F%2541.db")) == "/a b/é?%41.db"


@pytest.mark.parametrize("value", ["", "5/minute;100/hour", "10 per second"])
def test_a_rate_may_be_written_in_each_of_its_ways(monkeypatch, value):
    monkeypatch.setenv("PIXELMILL_RATE_LIMIT", value)
    assert load_settings().rate_limit == value


@pytest.mark.parametrize(
    ("name", "meant"),
    [("GRACES", "GRACE_S"), ("RATE_LIMITS", "RATE_LIMIT"), ("DATABASEURL", "DATABASE_URL"),
     ("max_item_byte", "MAX_ITEM_BYTES"), ("APIKEY", "API_KEY"),
     ("STALL", "STALL_S")],
)  # fmt: skip
def test_a_misspelt_name_is_told_with_the_one_that_is_meant(monkeypatch, name, meant):
    monkeypatch.setenv(f"PIXELMILL_{name}", "1")
    with pytest.raises(SettingsError, match=f"PIXELMILL_{meant} meant") as caught:
        load_settings()
    assert f"PIXELMILL_{name} is no setting" in str(caught.value)


@pytest.mark.parametrize("name", ["FAULTS_FOLDER", "TEST_DATABASES", "MINE", "DATA", "grace_s"])
def test_names_of_others_and_of_clients_are_left_alone(monkeypatch, name):
    monkeypatch.setenv(f"PIXELMILL_{name}", "1")
    assert load_settings()
