"""The queue: whose turn it is, commits that count once, jobs that end once and tell of it."""

from tests.mutations.mutation import Mutation

_QUEUE = "tests/integration/jobs/queue"
_LIFECYCLE = f"{_QUEUE}/test_lifecycle.py"
_OUTAGES = f"{_QUEUE}/test_outages.py"
_SCHEDULING = f"{_QUEUE}/test_scheduling.py"

QUEUE = (
    Mutation(
        "jobs/queue/commits.py",
        "scalar(_SEGMENT, {\"shard\": lease.shard_id}) == segment",
        "scalar(_SEGMENT, {\"shard\": lease.shard_id}) is not None",
        red=(f"{_OUTAGES}::"
             "test_a_commit_whose_lease_went_to_another_during_the_outage_is_discarded",),
        why="After an outage a worker takes another's commit for its own.",
    ),
    Mutation(
        "jobs/queue/commits.py",
        "return act() or was_done()",
        "return act()",
        red=(f"{_OUTAGES}::test_a_commit_is_counted_once_whenever_the_connection_is_lost",),
        why="A commit whose answer was lost is taken for lost, and its segment deleted.",
        database="postgresql",
    ),
    Mutation(
        "jobs/queue/commits.py",
        "owed_s = time_used(device_s, held_s, lease.count) - lease.charged_s",
        "owed_s = time_used(device_s, held_s, lease.count)",
        red=(f"{_SCHEDULING}::test_a_claim_is_charged_at_once_and_put_right_by_the_commit",),
        why="Every shard is paid for twice, by estimate and by measure.",
    ),
    Mutation(
        "jobs/queue/commits.py",
        "    \"faults\": \"faults\",\n",
        "",
        red=(f"{_LIFECYCLE}::"
             "test_items_that_failed_with_no_fault_of_their_own_are_counted_apart",),
        why="A canary that breaks is never ended, for its faults are not counted.",
    ),
    Mutation(
        "jobs/queue/commits.py",
        "            _jobs.c.last_progress_at: db_now(),\n",
        "",
        red=("tests/integration/api/live/test_streams.py::"
             "test_a_job_is_followed_to_its_end",),
        why="No stream tells that a job goes on.",
    ),
    Mutation(
        "jobs/queue/completion.py",
        "                    Job.ending.is_not(None) & (Job.pending_shards > 0),\n",
        "",
        red=(f"{_QUEUE}/test_concurrency.py::"
             "test_a_shard_that_slipped_through_a_cancel_is_cancelled_by_the_sweeper",),
        why="A cancelled job with one shard that was just being claimed never ends.",
        database="postgresql",
    ),
    Mutation(
        "jobs/queue/completion.py",
        "    record_event(session, job, now, told)\n",
        "",
        red=(f"{_LIFECYCLE}::test_one_event_is_recorded_when_a_job_ends",),
        why="A webhook is not inserted with the end of its job.",
    ),
    Mutation(
        "jobs/queue/completion.py",
        "    WebhookEndpoint.tenant_id == bindparam(\"of_tenant\"),\n",
        "    bindparam(\"of_tenant\") == bindparam(\"of_tenant\"),\n",
        red=("tests/integration/api/webhooks/test_endpoints.py::"
             "test_only_enabled_endpoints_of_the_tenant_that_want_an_event_get_it",),
        why="Every tenant's endpoints are told of everybody's jobs.",
    ),
    Mutation(
        "jobs/queue/completion.py",
        "    WebhookEndpoint.enabled,\n",
        "",
        red=("tests/integration/api/webhooks/test_endpoints.py::"
             "test_only_enabled_endpoints_of_the_tenant_that_want_an_event_get_it",),
        why="The log of an endpoint that was disabled fills with what is never sent.",
    ),
    Mutation(
        "jobs/queue/completion.py",
        "is_untidy = was_broken_off or unprepared or",
        "is_untidy = unprepared or",
        red=("tests/integration/jobs/test_tidying.py::"
             "test_the_segment_of_an_attempt_that_died_before_its_commit_is_deleted",),
        why="What a dead attempt wrote stays in the store for ever.",
    ),
    Mutation(
        "jobs/queue/completion.py",
        "(_shards.c.fence > 1) |",
        "(_shards.c.fence > 2) |",
        red=("tests/integration/jobs/test_tidying.py::"
             "test_the_segment_of_an_attempt_that_died_before_its_commit_is_deleted",),
        why="Off by one: what the first attempt wrote is not looked for when the second commits.",
    ),
    Mutation(
        "jobs/queue/completion.py",
        "    _fence_off(session, job_id)\n    job = end_early",
        "    job = end_early",
        red=("tests/integration/jobs/test_deletion.py::"
             "test_a_worker_that_runs_a_deleted_job_hears_of_it_and_cannot_commit",),
        why="A worker commits results of a job that was deleted.",
    ),
    Mutation(
        "jobs/queue/completion.py",
        "commit_number=bindparam(\"after\") + _shards.c.first)",
        "commit_number=bindparam(\"after\"))",
        red=("tests/integration/jobs/queue/test_lifecycle.py::"
             "test_no_row_is_lost_where_there_are_more_shards_than_are_looked_up_at_once",),
        why="Shards that never ran share a number: a cursor between them loses rows.",
    ),
    Mutation(
        "jobs/queue/scheduling.py",
        "islice(candidates, 1) if only_short else candidates:",
        "candidates:",
        red=(f"{_SCHEDULING}::"
             "test_the_place_for_short_shards_serves_whose_turn_it_is_or_nobody",),
        why="Short shards of one tenant get more turns than are theirs.",
    ),
    Mutation(
        "jobs/queue/turns.py",
        "tenants = _LOOK_AHEAD + len(self.passed_over)",
        "tenants = _LOOK_AHEAD",
        red=(f"{_SCHEDULING}::test_tenants_that_are_passed_over_do_not_stand_in_line",),
        why="Eight tenants whose shards run hide all others from the places for newcomers.",
    ),
    Mutation(
        "jobs/queue/turns.py",
        "if tenant.share - tenants[0].share >= SHARD_S / tenant.weight:",
        "if tenant.share - tenants[0].share >= 1e9:",
        red=("tests/integration/jobs/queue/test_scheduling.py::"
             "test_a_worker_prefers_a_model_that_it_holds_while_shares_differ_by_less_than_a_shard",
             "tests/integration/jobs/queue/test_scheduling.py::"
             "test_a_held_model_does_not_jump_another_tenants_own_queue",),
        why="Whoever uses the model that is loaded is served before all others, for ever.",
    ),
    Mutation(
        "jobs/queue/entering.py",
        "        _tenants.c.share < bindparam(\"floor\", type_=Float()),\n",
        "",
        red=("tests/integration/jobs/queue/test_entering.py::"
             "test_who_comes_back_having_had_more_than_the_others_has_had_it_still",),
        why="Coming back makes a tenant's debt forgotten: two jobs in turn get double.",
    ),
    Mutation(
        "jobs/base/states.py",
        "return Outcome.FAILED if failed == total else Outcome.PARTIAL",
        "return Outcome.PARTIAL",
        red=("tests/unit/jobs/test_states.py::test_a_job_is_partial_only_between_all_and_nothing",),
        why="A job of which nothing came is called partial.",
    ),
)  # fmt: skip
