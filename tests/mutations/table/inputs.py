"""What callers send, and how they read it back: limits, repetitions, cursors."""

from tests.mutations.mutation import Mutation

_API = "tests/integration/api"
_DELETION = "tests/integration/jobs/test_deletion.py"
_IDEMPOTENCY = f"{_API}/jobs/test_idempotency.py"
_LIFECYCLE = "tests/integration/jobs/queue/test_lifecycle.py"

INPUTS = (
    Mutation(
        "jobs/inputs/files.py",
        "if self.bytes > self.limit:",
        "if self.bytes >= self.limit:",
        red=("tests/integration/api/front/test_problems.py::"
             "test_an_upload_over_the_limit_is_refused_with_and_without_a_length",),
        why="A file of exactly the limit is refused.",
    ),
    Mutation(
        "jobs/aftercare/uploaded_files.py",
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
        red=("tests/integration/api/test_files.py::"
             "test_files_are_listed_newest_first_and_page_by_page",),
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
        red=("tests/integration/api/uploads/test_refusals.py::"
             "test_unfinished_uploads_count_as_they_were_announced",),
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
        red=("tests/integration/jobs/uploads/test_uploads.py::"
             "test_who_was_thought_dead_makes_no_second_file",),
        why="The bytes of a late finisher stay in the store, of no file.",
    ),
    Mutation(
        "jobs/uploads/finishing.py",
        "        Upload.state.in_(_OVER), exists().where(UploadPart",
        "        exists().where(UploadPart",
        red=("tests/integration/jobs/uploads/test_uploads.py::"
             "test_the_sweeper_leaves_uploads_alone_that_are_still_going_on",),
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
        red=("tests/integration/api/jobs/test_idempotency.py::"
             "test_fifty_at_once_under_one_key_make_one_job",
             "tests/integration/jobs/queue/test_concurrency.py::"
             "test_twenty_equal_requests_at_once_make_one_job",),
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
        red=("tests/integration/jobs/test_deletion.py::"
             "test_nobody_sees_a_deleted_job",),
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
        red=("tests/integration/jobs/queue/test_lifecycle.py::"
             "test_no_row_is_lost_where_there_are_more_shards_than_are_looked_up_at_once",),
        why="Of a job with more than 64 shards, every 65th is left out of its results.",
    ),
    Mutation(
        "jobs/results/rows.py",
        "first = shards[-1].first",
        "first = shards[-1].first + shards[-1].count",
        red=("tests/integration/jobs/queue/test_lifecycle.py::"
             "test_no_row_is_lost_where_there_are_more_shards_than_are_looked_up_at_once",),
        why="Of a job with more than 512 shards, some are left out of its comparison.",
    ),
    Mutation(
        "jobs/results/rows.py",
        "within = [] if until is None else [Shard.commit_number <= until]",
        "within = []",
        red=("tests/integration/jobs/results/test_rows.py::"
             "test_rows_up_to_a_commit_are_read_whatever_was_committed_since",),
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
        red=("tests/integration/api/live/test_openings.py::"
             "test_who_knows_the_end_is_told_to_come_no_more",),
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
