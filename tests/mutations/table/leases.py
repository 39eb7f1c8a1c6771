"""Leases and fences: whoever was thought dead must change nothing, and whoever works keeps it."""

from tests.mutations.mutation import Mutation

_QUEUE = "tests/integration/jobs/queue"
_LEASES = f"{_QUEUE}/test_leases.py"
_LIFECYCLE = f"{_QUEUE}/test_lifecycle.py"

LEASES = (
    Mutation(
        "jobs/leases/leased.py",
        "return and_(self.is_one(key), self.fence == fence, self.is_open)",
        "return and_(self.is_one(key), self.is_open)",
        red=(f"{_LEASES}::test_a_heart_beats_until_the_lease_is_lost",),
        why="The fence is not compared: a worker thought dead commits over another's work.",
    ),
    Mutation(
        "jobs/leases/leased.py",
        "return and_(self.is_open, self.until > db_now())",
        "return self.is_open",
        red=(f"{_LEASES}::test_who_was_late_holds_nothing_any_more",),
        why="A lease that ran out counts as taken: what its holder left is never tidied.",
    ),
    Mutation(
        "jobs/leases/leases.py",
        "{leased.fence: leased.fence + 1, leased.until",
        "{leased.fence: leased.fence, leased.until",
        red=(f"{_LEASES}::test_who_was_late_holds_nothing_any_more",),
        why="The fence does not go up: two who hold one row after the other look the same.",
    ),
    Mutation(
        "jobs/leases/leases.py",
        "return _extend(ground, lease, PAUSE_S, {lease.of.fence: lease.of.fence - 1})",
        "return _extend(ground, lease, PAUSE_S)",
        red=(f"{_LEASES}::test_what_is_handed_back_costs_no_try_and_what_fails_costs_one",),
        why="A store that was away uses up the tries of good work.",
    ),
    Mutation(
        "jobs/leases/leases.py",
        "return self.attempts > self.of.max_attempts(settings)",
        "return self.attempts >= self.of.max_attempts(settings)",
        red=("tests/integration/jobs/queue/test_leases.py::"
             "test_its_tries_are_counted",),
        why="One try too few: the last one is refused before it begins.",
    ),
    Mutation(
        "jobs/leases/owned.py",
        "return is_theirs & leased.is_open",
        "return is_theirs | leased.is_open",
        red=(f"{_LIFECYCLE}::test_a_restarted_worker_takes_back_what_its_predecessor_held",),
        why="A restarted worker takes the shards of all others away.",
    ),
    Mutation(
        "jobs/leases/owned.py",
        "mine = key.in_(fences), of_owner(leased, owner)",
        "mine = key.in_(fences), leased.is_open",
        red=("tests/integration/jobs/queue/test_lifecycle.py::"
             "test_who_was_late_neither_renews_nor_gives_back_what_another_has_by_now",),
        why="A worker renews for another what it lost itself, so that nobody rescues it.",
    ),
    Mutation(
        "jobs/leases/owned.py",
        "return {number for number, fence in found if fences[number] == fence}",
        "return {number for number, fence in found}",
        red=("tests/integration/jobs/queue/test_lifecycle.py::"
             "test_a_process_that_claims_anew_what_it_had_lost_has_it_under_the_new_number_alone",),
        why="A run whose shard was lost and claimed anew by its own process is not told.",
    ),
    Mutation(
        "jobs/leases/renewing.py",
        "            raise LeaseLost",
        "            return",
        red=(f"{_LEASES}::test_a_heart_beats_until_the_lease_is_lost",),
        why="Work goes on for hours under a lease that somebody else has.",
    ),
    Mutation(
        "jobs/leases/renewing.py",
        "            _is_renewed(ground, lease)\n\n    thread",
        "            pass\n\n    thread",
        red=("tests/integration/workers/device/test_validation.py::"
             "test_a_version_that_takes_long_keeps_its_turn_and_no_place_but_its_own",),
        why="A lease is not renewed while its work waits for somebody else.",
    ),
    Mutation(
        "jobs/queue/shards.py",
        "& (Shard.not_before <= db_now())",
        "",
        red=(f"{_LIFECYCLE}::test_a_shard_that_failed_waits_before_it_is_tried_again",),
        why="A shard that cannot be run is tried again at once until no try is left.",
    ),
    Mutation(
        "jobs/queue/shard_leases.py",
        "select(Shard).where(lease.is_held).with_for_update()",
        "select(Shard).where(Shard.id == lease.shard_id).with_for_update()",
        red=("tests/integration/jobs/queue/test_lifecycle.py::"
             "test_who_was_late_neither_renews_nor_gives_back_what_another_has_by_now",),
        why="Who hands back late takes the shard from the worker that has it by now.",
    ),
    Mutation(
        "jobs/queue/shard_leases.py",
        "return _end_all(database, SHARDS.has_lapsed, \"expiry\")",
        "return 0",
        red=(f"{_QUEUE}/test_lifecycle.py::test_a_lease_that_dies_in_a_cancelled_job_closes_it",),
        why="Shards of a machine that died are never run.",
    ),
    Mutation(
        "jobs/queue/shard_leases.py",
        "        charge_tenant(session, tenant_id, -seconds)",
        "        pass",
        red=(f"{_QUEUE}/test_scheduling.py::"
             "test_a_lease_that_ends_without_a_commit_gives_back_what_it_was_charged",),
        why="A tenant pays for device time that the death of a worker took.",
    ),
    Mutation(
        "jobs/queue/quarantine.py",
        "_DEATHS = 2",
        "_DEATHS = 3",
        red=(f"{_QUEUE}/test_quarantine.py::"
             "test_an_item_that_crashes_twice_is_a_crasher_and_its_neighbours_are_not",),
        why="An item that kills its process does so once more than was promised.",
    ),
)  # fmt: skip
