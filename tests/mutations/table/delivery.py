"""Webhooks on their way: signed, tried again, and by one sender alone."""

from tests.mutations.mutation import Mutation

_DELIVERY = "tests/integration/workers/errands/test_delivery.py"
_ENDPOINTS = "tests/integration/api/webhooks/test_endpoints.py"
_DELIVERIES = "tests/integration/api/webhooks/test_deliveries.py"

DELIVERY = (
    Mutation(
        "jobs/queue/webhooks.py",
        "endpoint.old_secret is not None and now < (endpoint.old_secret_until or 0.0)",
        "endpoint.old_secret is not None",
        red=(f"{_ENDPOINTS}::test_both_secrets_sign_while_one_is_replaced",),
        why="A secret that leaked signs for ever, though it was replaced.",
    ),
    Mutation(
        "jobs/queue/webhooks.py",
        "hopeless = status == 410 or lease.is_last(settings)",
        "hopeless = status == 410",
        red=(f"{_DELIVERY}::test_the_tries_end_after_the_last_delay",),
        why="A receiver that is gone is called for ever.",
    ),
    Mutation(
        "jobs/queue/webhooks.py",
        "            .where(lease.is_held)\n",
        "            .where(Delivery.id == lease.row.id)\n",
        red=(f"{_DELIVERY}::"
             "test_a_sender_that_dies_leaves_its_delivery_due_again_and_its_late_word_counts_nothing",),
        why="A sender that was thought dead calls delivered what another is still trying.",
    ),
    Mutation(
        "jobs/queue/webhooks.py",
        "max(delay_s * random.uniform(1.0, 1.1), retry_after_s)",
        "delay_s * random.uniform(1.0, 1.1)",
        red=(f"{_DELIVERY}::test_a_receivers_wish_to_wait_longer_is_obeyed",),
        why="A receiver that asks for patience is called all the same.",
    ),
    Mutation(
        "jobs/queue/webhooks.py",
        "if endpoint is None or not endpoint.enabled:",
        "if endpoint is None:",
        red=(f"{_ENDPOINTS}::"
             "test_an_endpoint_that_was_disabled_or_deleted_meanwhile_is_not_called",),
        why="An endpoint that its tenant disabled is called.",
    ),
    Mutation(
        "jobs/queue/webhooks.py",
        "is_it = WebhookEndpoint.id == row.endpoint_id, WebhookEndpoint.url == row.url",
        "is_it = WebhookEndpoint.id == row.endpoint_id, WebhookEndpoint.url != \"\"",
        red=(f"{_ENDPOINTS}::test_a_410_of_an_earlier_address_disables_nothing",),
        why="A server that was left disables the endpoint at its new address.",
    ),
    Mutation(
        "jobs/queue/deliveries.py",
        "Job.id == row.job_id, Job.deleted_at.is_(None))",
        "Job.id == row.job_id)",
        red=(f"{_DELIVERIES}::test_what_cannot_be_sent_again_says_why",),
        why="What is known of a deleted job is sent once more.",
    ),
    Mutation(
        "jobs/queue/endpoints.py",
        "        session.execute(delete(Delivery).where(Delivery.endpoint_id == row.id))\n",
        "",
        red=(f"{_ENDPOINTS}::"
             "test_what_waits_goes_to_the_new_address_and_away_with_the_endpoint",),
        why="The log of an endpoint outlives it.",
    ),
    Mutation(
        "jobs/tenants/signing.py",
        "signed = f\"{event_id}.{timestamp}.{body}\".encode()",
        "signed = f\"{event_id}.{body}\".encode()",
        red=("tests/unit/jobs/test_webhook_signatures.py::"
             "test_a_receivers_library_accepts_what_is_sent",),
        why="The time is not signed, so that whoever hears a webhook can replay it.",
    ),
)  # fmt: skip
