"""The engine: a process that runs shards, keeps its leases, and stops when it is told to."""

from tests.mutations.mutation import Mutation

_WORKERS = "tests/integration/workers"
_KEEPER = f"{_WORKERS}/test_keeper.py"
_SHARDS = f"{_WORKERS}/engine/test_shards.py"
_ENGINE = f"{_WORKERS}/engine/test_engine.py"
_STOPS = f"{_WORKERS}/engine/test_engine_stops.py"
_BATCHES = f"{_WORKERS}/engine/test_batches.py"
_FETCHING = "tests/unit/workers/decoding/test_fetching.py"

ENGINE = (
    Mutation(
        "workers/engine/holding/keeper.py",
        "_stop_all({shard_id: runs[shard_id] for shard_id in renewal.lost}, \"lost\")",
        "pass",
        red=(f"{_KEEPER}::test_a_run_whose_lease_went_to_another_is_told_so",),
        why="A worker computes for hours what another has taken over.",
    ),
    Mutation(
        "workers/engine/holding/keeper.py",
        "            ending = ending_of(self._database, list(runs))",
        "            ending = {}",
        red=(f"{_KEEPER}::"
             "test_a_run_whose_job_is_cancelled_is_told_within_a_second_or_two",),
        why="A cancel is seen with the next renewal only.",
    ),
    Mutation(
        "workers/engine/holding/keeper.py",
        "            earlier.stop(\"lost\")",
        "            pass",
        red=(f"{_KEEPER}::test_a_shard_that_this_process_lost_and_claimed_anew_is_"
             "kept_for_the_second_run",),
        why="Two runs of one shard go on in one process.",
    ),
    Mutation(
        "workers/engine/holding/keeper.py",
        "if self._runs.get(run.lease.shard_id) is run:",
        "if run.lease.shard_id in self._runs:",
        red=(f"{_KEEPER}::test_a_shard_that_this_process_lost_and_claimed_anew_is_"
             "kept_for_the_second_run",),
        why="The end of a run that was lost takes the lease of the one after it from the keeper.",
    ),
    Mutation(
        "workers/engine/holding/keeper.py",
        "            self._end_process(STALLED_EXIT_CODE)",
        "            pass",
        red=(f"{_KEEPER}::test_a_process_in_which_nothing_moves_is_ended",),
        why="A process that hangs in its network keeps its shards for ever.",
    ),
    Mutation(
        "workers/engine/shard.py",
        "ground.storage.delete([name, overlays_name(name), thumbnails_name(name)])",
        "pass",
        red=(f"{_SHARDS}::test_the_result_of_a_lost_lease_is_discarded_with_its_segment",),
        why="The segment of a late result stays in the store.",
    ),
    Mutation(
        "workers/engine/shard.py",
        "        if self.why == \"lost\":\n            return False\n",
        "",
        red=(f"{_SHARDS}::test_a_run_that_is_told_of_its_lost_lease_writes_nothing",),
        why="A run that lost its lease writes and commits all the same.",
    ),
    Mutation(
        "workers/engine/rows.py",
        "Row(index, item.custom_id, status, sha256, lease.attempts,",
        "Row(index, item.custom_id, status, sha256, lease.fence,",
        red=(f"{_SHARDS}::test_what_was_handed_back_counts_as_no_attempt",),
        why="A result says that it took more tries than it did.",
    ),
    Mutation(
        "workers/engine/device/batcher.py",
        "batch = [chunk for chunk in taken if not chunk.drop_if_stopped()]",
        "batch = list(taken)",
        red=(f"{_SHARDS}::"
             "test_a_job_that_is_ended_stops_its_running_shard_within_a_batch",),
        why="What a cancel should have stopped is inferred to its end.",
    ),
    Mutation(
        "workers/engine/images.py",
        "                sha256=chunk.hashes[position],\n                error=",
        "                error=",
        red=("tests/integration/workers/engine/test_engine.py::"
             "test_one_bad_image_costs_one_item",),
        why="An item that failed does not say of which bytes.",
    ),
    Mutation(
        "workers/engine/engine.py",
        "        if is_crasher(lease):",
        "        if False:",
        red=(f"{_ENGINE}::test_an_item_that_crashed_two_processes_is_errored_and_not_run_again",),
        why="An item that kills its process is run for ever.",
    ),
    Mutation(
        "workers/engine/engine.py",
        "        if must_run_alone(run.lease):",
        "        if False:",
        red=("tests/integration/workers/engine/test_engine_stops.py::"
             "test_a_long_video_gives_way_to_a_suspect_and_is_handed_back",),
        why="A suspect's crash takes the shards of others with it once more.",
    ),
    Mutation(
        "workers/engine/engine.py",
        "served = self._keeper.tenants() if place.only_newcomers else frozenset()",
        "served = frozenset()",
        red=(f"{_STOPS}::"
             "test_no_more_shards_are_in_flight_than_were_asked_for_but_short_ones_and_newcomers",),
        why="One tenant takes the places that are kept for others.",
    ),
    Mutation(
        "workers/engine/engine.py",
        "        if not lease.is_last(self._ground.settings):",
        "        if False:",
        red=(f"{_ENGINE}::test_a_shard_that_cannot_be_run_is_tried_some_times_and_then_its_items_are_errored",),
        why="One failure of the machine errors a whole shard.",
    ),
    Mutation(
        "workers/engine/reading/budget.py",
        "            self._reserve(visit, at, -visit.reserved)",
        "            pass",
        red=("tests/unit/workers/decoding/test_fetching.py::"
             "test_bytes_are_held_until_their_view_is_let_go_and_no_longer",),
        why="Every URL counts for the most that it might have had: fetching slows to a stop.",
    ),
    Mutation(
        "workers/engine/holding/hold.py",
        "        self.why = self.why or why",
        "        self.why = why",
        red=("tests/unit/workers/test_hold.py::"
             "test_the_first_reason_to_stop_counts",),
        why="A run that was lost is told to hand back, and takes the shard from its new worker.",
    ),
)  # fmt: skip
