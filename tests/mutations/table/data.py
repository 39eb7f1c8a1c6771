"""What callers send, and what is kept of it: limits, repetitions, cursors, erasure."""

from tests.mutations.mutation import Mutation

_API = "tests/integration/api"
_DELETION = "tests/integration/jobs/test_deletion.py"
_ERASED = f"{_DELETION}::test_a_finished_job_is_erased_with_all_that_it_holds"
_RETENTION = "tests/integration/jobs/test_retention.py"
_TIDYING = "tests/integration/jobs/test_tidying.py"
_IDEMPOTENCY = f"{_API}/jobs/test_idempotency.py"
_LIFECYCLE = "tests/integration/jobs/queue/test_lifecycle.py"

DATA = (
    Mutation(
        "jobs/inputs/files.py",
        "if self.bytes > self.limit:",
        "if self.bytes >= self.limit:",
        red=(f"{_API}/test_files.py", f"{_API}/front/test_problems.py"),
        why="A file of exactly the limit is refused.",
    ),
    Mutation(
        "jobs/inputs/files.py",
        "File.expires_at < db_now(), ~needed)",
        "File.expires_at < db_now())",
        red=(f"{_API}/jobs/test_openai_client.py::"
             "test_a_file_whose_time_is_over_is_erased_unless_a_job_needs_it",),
        why="A running job loses its input when the file's time is over.",
    ),
    Mutation(
        "jobs/inputs/files.py",
        "File.id > after if oldest_first else File.id < after",
        "File.id >= after if oldest_first else File.id <= after",
        red=(f"{_API}/test_files.py", f"{_API}/jobs/test_openai_client.py"),
        why="A page begins with the last file of the page before.",
    ),
    Mutation(
        "jobs/inputs/manifests.py",
        "if names.count > max_items:",
        "if names.count > max_items + 1:",
        red=("tests/integration/jobs/inputs/test_manifests.py::"
             "test_too_few_and_too_many_items_leave_nothing_behind",),
        why="One item more than a job may have.",
    ),
    Mutation(
        "jobs/uploads/uploads.py",
        "if int(announced) + length > limit:",
        "if length > limit:",
        red=(f"{_API}/uploads/test_refusals.py", "tests/integration/jobs/uploads/test_uploads.py"),
        why="Uploads that are never finished fill the store.",
    ),
    Mutation(
        "jobs/uploads/receiving.py",
        "            Upload.received == start,\n",
        "",
        red=("tests/integration/jobs/uploads/test_uploads.py::"
             "test_a_part_counts_only_where_the_one_before_it_ends",),
        why="Two requests at once write over each other.",
    ),
    Mutation(
        "jobs/uploads/receiving.py",
        "            Upload.length >= end,\n",
        "",
        red=("tests/integration/jobs/uploads/test_uploads.py::test_a_part_may_not_pass_the_end",),
        why="An upload grows past what it announced, and past its tenant's room.",
    ),
    Mutation(
        "jobs/uploads/finishing.py",
        "    except LeaseLost:\n        ground.storage.delete([blob])\n",
        "    except LeaseLost:\n",
        red=("tests/integration/jobs/uploads/test_uploads.py",),
        why="The bytes of a late finisher stay in the store, of no file.",
    ),
    Mutation(
        "jobs/uploads/finishing.py",
        "        Upload.state.in_(_OVER), exists().where(UploadPart",
        "        exists().where(UploadPart",
        red=("tests/integration/jobs/uploads/test_uploads.py",),
        why="The sweeper erases parts of uploads that are still going on.",
    ),
    Mutation(
        "jobs/intake/submission.py",
        "if row.fingerprint != idempotency.fingerprint:",
        "if False:",
        red=(f"{_IDEMPOTENCY}::test_another_request_under_a_used_key_is_refused",),
        why="Another request under a used key gets the first one's job, and never runs.",
    ),
    Mutation(
        "jobs/intake/submission.py",
        "    if job.deleted_at is not None:\n        raise Conflict(",
        "    if False:\n        raise Conflict(",
        red=(f"{_DELETION}::test_an_idempotency_key_does_not_make_a_deleted_job_anew",),
        why="A repetition is answered with a deleted job as if it ran.",
    ),
    Mutation(
        "jobs/intake/submission.py",
        "        _discard(ground, job)\n        earlier",
        "        earlier",
        red=("tests/integration/jobs/queue/test_concurrency.py::"
             "test_twenty_equal_requests_at_once_make_one_job", _IDEMPOTENCY),
        why="Each repetition at the same moment leaves its inputs in the store.",
    ),
    Mutation(
        "jobs/intake/submission.py",
        "if not (isinstance(err, DBAPIError) and err.connection_invalidated):",
        "if True:",
        red=("tests/integration/jobs/queue/test_outages.py::"
             "test_a_job_whose_storing_was_lost_on_the_way_keeps_its_inputs_if_it_exists",),
        why="A job that was stored after all has lost its inputs.",
        database="postgresql",
    ),
    Mutation(
        "api/jobs/submitting.py",
        "fingerprint(request.path, *asked)",
        "fingerprint(*asked)",
        red=(f"{_IDEMPOTENCY}::test_another_request_under_a_used_key_is_refused",),
        why="A retry of another job under the same key is answered with the first one's.",
    ),
    Mutation(
        "jobs/queue/reading.py",
        "Job.id > after if oldest_first else Job.id < after",
        "Job.id >= after if oldest_first else Job.id <= after",
        red=(f"{_API}/jobs/test_jobs.py::test_jobs_are_listed_newest_first_and_page_by_page",),
        why="A page begins with the last job of the page before.",
    ),
    Mutation(
        "jobs/queue/reading.py",
        "Job.deleted_at.is_(None), Job.kind.in_",
        "Job.kind.in_",
        red=(f"{_DELETION}::test_nobody_sees_a_deleted_job", f"{_API}/jobs/test_jobs.py"),
        why="Deleted jobs stand in the list.",
    ),
    Mutation(
        "jobs/results/rows.py",
        "start = after.row + 1 if commit == after.commit else 0",
        "start = after.row if commit == after.commit else 0",
        red=(f"{_LIFECYCLE}::test_pages_lose_and_repeat_nothing_while_the_job_runs",),
        why="A page of results begins with the last row of the page before.",
    ),
    Mutation(
        "jobs/results/rows.py",
        "commit = (shards[-1].commit_number or 0) + 1",
        "commit = (shards[-1].commit_number or 0) + 2",
        red=(_LIFECYCLE, f"{_API}/test_results.py", f"{_API}/front/test_streams_end.py"),
        why="Of a job with more than 64 shards, every 65th is left out of its results.",
    ),
    Mutation(
        "jobs/results/rows.py",
        "first = shards[-1].first",
        "first = shards[-1].first + shards[-1].count",
        red=("tests/integration/workers/errands/test_comparing.py",),
        why="Of a job with more than 512 shards, some are left out of its comparison.",
    ),
    Mutation(
        "jobs/results/rows.py",
        "within = [] if until is None else [Shard.commit_number <= until]",
        "within = []",
        red=(f"{_API}/front/test_streams_end.py::"
             "test_rows_that_are_committed_while_a_stream_runs_are_not_in_it",),
        why="A stream has more rows than it told, and its reader takes it for broken.",
    ),
    Mutation(
        "jobs/aftercare/output_files.py",
        "Job.id >= job_id if oldest_first else Job.id <= job_id",
        "Job.id > job_id if oldest_first else Job.id < job_id",
        red=(f"{_API}/jobs/test_output_files.py::"
             "test_files_are_listed_page_by_page_in_the_order_of_their_jobs",),
        why="The second file of a job is lost between two pages.",
    ),
    Mutation(
        "jobs/aftercare/retention.py",
        "    ground.storage.delete_staged(f\"jobs/{job.id}/\", older_than_s=0)\n",
        "",
        red=(_DELETION, _TIDYING),
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
        red=(_DELETION, "tests/integration/workers/errands/test_comparing.py"),
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
        red=(f"{_RETENTION}::"
             "test_an_uploaded_file_goes_when_the_last_job_that_needs_it_is_over",
             _RETENTION),
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
        red=("tests/integration/workers/errands/test_comparing.py",),
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
        "return results | {job.manifest} | Manifest(ground.storage, job.manifest).blobs()",
        "return results | {job.manifest}",
        red=(_TIDYING,),
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
    Mutation(
        "jobs/events/numbering.py",
        "last - len(moments) + 1)",
        "last - len(moments))",
        red=("tests/integration/jobs/events/test_numbering.py::"
             "test_a_job_is_created_begins_ends_and_is_deleted",),
        why="Two events share a number, and a stream that resumes loses one.",
    ),
    Mutation(
        "jobs/events/glimpses.py",
        "if event.number > number)",
        "if event.number >= number)",
        red=(f"{_API}/live/test_openings.py", f"{_API}/live/test_feed.py"),
        why="A stream that resumes tells its last event twice.",
    ),
    Mutation(
        "jobs/queue/endpoints.py",
        "if (session.scalar(of_tenant) or 0) >= MOST_ENDPOINTS:",
        "if (session.scalar(of_tenant) or 0) > MOST_ENDPOINTS:",
        red=(f"{_API}/webhooks/test_endpoints.py::test_a_tenant_has_sixteen_of_them",),
        why="One endpoint more than a tenant may have.",
    ),
    Mutation(
        "jobs/watches/watches.py",
        "if (session.scalar(of_tenant) or 0) >= MOST_WATCHES:",
        "if (session.scalar(of_tenant) or 0) > MOST_WATCHES:",
        red=("tests/integration/buckets/watches/test_routes.py::"
             "test_there_are_only_so_many_watches",),
        why="One watch more than a tenant may have.",
    ),
)  # fmt: skip
