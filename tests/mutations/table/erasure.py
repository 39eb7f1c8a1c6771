"""What is erased and what stays: results, inputs, weights, and blobs that nobody names."""

from tests.mutations.mutation import Mutation

_DELETION = "tests/integration/jobs/test_deletion.py"
_ERASED = f"{_DELETION}::test_a_finished_job_is_erased_with_all_that_it_holds"
_RETENTION = "tests/integration/jobs/test_retention.py"
_TIDYING = "tests/integration/jobs/test_tidying.py"

ERASURE = (
    Mutation(
        "jobs/aftercare/retention.py",
        "    ground.storage.delete_staged(f\"jobs/{job.id}/\", older_than_s=0)\n",
        "",
        red=("tests/integration/jobs/test_tidying.py::"
             "test_what_a_killed_writer_left_half_written_goes_after_a_day_or_with_its_job",),
        why="What was being written of a deleted job stays half written in the store.",
    ),
    Mutation(
        "jobs/aftercare/retention.py",
        "        session.execute(delete(Delivery).where(Delivery.job_id == job.id))\n",
        "",
        red=(_ERASED,),
        why="What was told of a deleted job stays in the log of webhooks.",
    ),
    Mutation(
        "jobs/aftercare/retention.py",
        "        session.execute(delete(Comparison).where(_is_of(job)))\n",
        "",
        red=("tests/integration/workers/errands/test_comparing.py::"
             "test_the_answers_of_a_deleted_parent_are_in_no_comparison_any_more",),
        why="A comparison speaks on of a job that was deleted.",
    ),
    Mutation(
        "jobs/aftercare/retention.py",
        "said: dict[str, Any] = {\"requested\": {}, \"params\": {}, \"metadata_\": {}}",
        "said: dict[str, Any] = {\"requested\": {}, \"params\": {}}",
        red=(_ERASED,),
        why="What the caller wrote about a deleted job is kept.",
    ),
    Mutation(
        "jobs/aftercare/retention.py",
        "(\"errors\", \"status_reason\", \"webhook\", \"manifest\", \"skipped\", \"source\")",
        "(\"errors\", \"status_reason\", \"manifest\", \"skipped\", \"source\")",
        red=(_ERASED,),
        why="The secret of a deleted job's webhook is kept.",
    ),
    Mutation(
        "jobs/aftercare/retention.py",
        "        if file is not None and session.scalar(needed.limit(1)) is not None:\n"
        "            return\n",
        "",
        red=("tests/integration/jobs/test_deletion.py::"
             "test_inputs_that_another_job_still_needs_outlive_a_deleted_one",),
        why="A job that runs loses its input because another asked for its erasure.",
    ),
    Mutation(
        "jobs/aftercare/retention.py",
        "(Job.ended_at + lifetime < db_now())",
        "(Job.ended_at + lifetime > db_now())",
        red=(f"{_RETENTION}::test_outputs_are_erased_after_their_time",),
        why="Results go while their time lasts, and stay when it is over.",
    ),
    Mutation(
        "jobs/aftercare/retention.py",
        "    ground.storage.delete(changes)\n",
        "",
        red=("tests/integration/workers/errands/test_comparing.py::"
             "test_of_a_parent_whose_time_is_over_the_figures_stay_and_the_answers_go",),
        why="Answers of a job whose results were erased lie on in a comparison.",
    ),
    Mutation(
        "jobs/aftercare/tidying.py",
        "return not marks - {ours}",
        "return True",
        red=(f"{_TIDYING}::"
             "test_nothing_is_searched_in_a_store_that_another_installation_uses_too",),
        why="The blobs of another installation in the same store are deleted.",
    ),
    Mutation(
        "jobs/aftercare/tidying.py",
        "return owner if made is not None and made < latest else None",
        "return owner if made is not None else None",
        red=(f"{_TIDYING}::test_what_never_came_to_exist_is_deleted_after_a_day",),
        why="The inputs of a submission that is still being stored are deleted.",
    ),
    Mutation(
        "jobs/aftercare/tidying.py",
        "return results | {job.manifest} | items",
        "return results | {job.manifest}",
        red=("tests/integration/jobs/test_tidying.py::"
             "test_the_segment_of_an_attempt_that_died_before_its_commit_is_deleted",),
        why="The inputs of a job are tidied away with what a dead attempt left.",
    ),
    Mutation(
        "jobs/versions/registry.py",
        "        ModelVersion.state == VersionState.READY,\n    )\n    .with_for_update(read=True)",
        "    )\n    .with_for_update(read=True)",
        red=("tests/integration/jobs/test_versions.py::"
             "test_no_new_job_gets_a_deleted_version_even_if_it_had_found_it_before",),
        why="A job is stored with a version that was deleted, and fails item by item.",
    ),
    Mutation(
        "jobs/versions/deletion.py",
        "                ~is_run,\n",
        "",
        red=("tests/integration/jobs/test_versions.py::"
             "test_weights_are_erased_after_the_last_open_job_and_not_before",),
        why="The weights of a running job are erased.",
    ),
    Mutation(
        "jobs/versions/deletion.py",
        "ground.storage.delete([] if is_shared else [version.weights])",
        "ground.storage.delete([version.weights])",
        red=("tests/integration/jobs/test_versions.py::"
             "test_one_blob_of_two_names_stays_until_both_are_gone",),
        why="Deleting one version erases the weights of another.",
    ),
    Mutation(
        "jobs/intake/preparation.py",
        "(func.count() >= _MOST_OF_ONE)",
        "(func.count() > _MOST_OF_ONE)",
        red=("tests/integration/jobs/inputs/test_archive_items.py::"
             "test_one_tenants_long_walks_never_keep_anothers_archive_waiting",),
        why="One tenant's archives take more of the io threads than are its.",
    ),
    Mutation(
        "jobs/intake/preparation.py",
        "    ground.storage.delete(written.blobs)\n    raise LeaseLost",
        "    raise LeaseLost",
        red=("tests/integration/jobs/test_preparation.py::"
             "test_a_late_worker_changes_nothing_and_leaves_nothing_behind",),
        why="A preparation that came too late leaves its blobs.",
    ),
    Mutation(
        "jobs/intake/children.py",
        "if ancestor.outputs_erased_at is not None or ancestor.deleted_at is not None:",
        "if False:",
        red=("tests/integration/jobs/test_children.py::"
             "test_a_job_whose_time_is_over_is_not_run_again_and_neither_are_its_children",),
        why="A rerun of what was erased is accepted, and all of its items fail.",
    ),
)  # fmt: skip
