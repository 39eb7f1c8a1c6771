"""Signatures, read with the receivers' own library, and which secrets it can read."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError
from svix.webhooks import Webhook as Svix
from svix.webhooks import WebhookVerificationError as SvixVerificationError

from jobs.leases.leases import Lease
from jobs.queue.webhooks import DELIVERIES, Outgoing
from jobs.tables import Delivery
from jobs.tenants.signing import is_secret, new_secret, sign
from workers.errands.delivery import headers_of

BODY = json.dumps({"type": "job.completed", "data": {"id": "job_1"}, "note": "größer"})


def outgoing(secret, body=BODY, ago_s=0):
    said = {"id": "whd_1", "event_id": "evt_1", "job_id": "job_1", "url": "https://x.org"}
    row = Delivery(**said, body=body, fence=1)
    return Outgoing(Lease(DELIVERIES, (row.id,), 1, row), (secret,), now() - ago_s)


def now():
    return int(datetime.now(UTC).timestamp())


def test_a_receivers_library_accepts_what_is_sent():
    secret = new_secret()
    headers = headers_of(outgoing(secret))
    assert Webhook(secret).verify(BODY, headers) == json.loads(BODY)


def test_the_library_of_svix_accepts_it_too():
    secret = new_secret()
    headers = headers_of(outgoing(secret))
    # It gives nothing back, and raises.
    Svix(secret).verify(BODY, headers)
    with pytest.raises(SvixVerificationError):
        Svix(new_secret()).verify(BODY, headers)


def test_the_signature_is_that_of_the_library():
    secret, when = new_secret(), datetime.now(UTC)
    expected = Webhook(secret).sign("evt_1", when, BODY)
    assert sign(secret, "evt_1", int(when.timestamp()), BODY) == expected


@pytest.mark.parametrize("spoilt", ["body", "webhook-id", "webhook-timestamp", "secret"])
def test_what_was_changed_on_the_way_is_refused(spoilt):
    secret = new_secret()
    headers = headers_of(outgoing(secret))
    body = BODY.replace("job_1", "job_2") if spoilt == "body" else BODY
    if spoilt == "webhook-id":
        headers["webhook-id"] = "evt_2"
    if spoilt == "webhook-timestamp":
        headers["webhook-timestamp"] = str(now() + 1)
    receiver = Webhook(new_secret() if spoilt == "secret" else secret)
    with pytest.raises(WebhookVerificationError):
        receiver.verify(body, headers)


def test_an_old_message_cannot_be_replayed():
    secret = new_secret()
    headers = headers_of(outgoing(secret, ago_s=timedelta(minutes=6).total_seconds()))
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(BODY, headers)


def test_a_fresh_secret_is_one_that_we_would_accept():
    assert is_secret(new_secret())
    assert new_secret() != new_secret()


@pytest.mark.parametrize(
    ("secret", "good"),
    [
        ("whsec_" + base64.b64encode(b"k" * 24).decode(), True),
        ("whsec_" + base64.b64encode(b"k" * 64).decode(), True),
        ("whsec_" + base64.b64encode(b"k" * 23).decode(), False),
        ("whsec_" + base64.b64encode(b"k" * 65).decode(), False),
        (base64.b64encode(b"k" * 32).decode(), False),
        ("whsec_" + "ü" * 40, False),
        ("whsec_not base64 at all, but long enough", False),
        ("whsec_", False),
        ("", False),
    ],
)
def test_a_callers_secret_needs_its_prefix_and_24_to_64_bytes(secret, good):
    assert is_secret(secret) is good


@given(st.text())
def test_whatever_passes_as_a_secret_can_be_signed_with(text):
    for secret in (text, f"whsec_{text}"):
        if is_secret(secret):
            Webhook(secret).verify(BODY, headers_of(outgoing(secret)))


@given(st.binary(min_size=24, max_size=64), st.text(st.characters(codec="utf-8")))
def test_any_body_is_signed_as_the_library_signs_it(key, body):
    secret = "whsec_" + base64.b64encode(key).decode()
    when = datetime.now(UTC)
    expected = Webhook(secret).sign("evt_1", when, body)
    assert sign(secret, "evt_1", int(when.timestamp()), body) == expected
