"""Tenants: nobody sees, changes or uses what is another's."""

from tests.mutations.mutation import Mutation

_API = "tests/integration/api"
_AUTH = f"{_API}/front/test_auth.py"
_STRANGER = f"{_AUTH}::test_a_stranger_finds_nothing_of_another_tenant"

TENANTS = (
    Mutation(
        "jobs/queue/completion.py",
        "if job is None or (tenant_id is not None and job.tenant_id != tenant_id):",
        "if job is None:",
        red=(_STRANGER,),
        why="A stranger cancels another tenant's job.",
    ),
    Mutation(
        "jobs/queue/reading.py",
        "if job is None or job.tenant_id != tenant_id or job.deleted_at",
        "if job is None or job.deleted_at",
        red=(_STRANGER,),
        why="A stranger reads another tenant's job and its results.",
    ),
    Mutation(
        "jobs/queue/reading.py",
        "    _jobs.tenant_id == bindparam(\"of_tenant\"),\n",
        "    bindparam(\"of_tenant\") == bindparam(\"of_tenant\"),\n",
        red=("tests/integration/jobs/queue/test_lifecycle.py::"
             "test_whoever_asks_after_anothers_job_is_told_as_if_there_were_none",),
        why="Who waits for a stranger's job is told nothing for as long as that runs: it is there.",
    ),
    Mutation(
        "jobs/queue/reading.py",
        "query = query.where(Job.tenant_id == tenant_id)",
        "pass",
        red=(f"{_AUTH}::"
             "test_a_stranger_cannot_use_another_tenants_file_or_see_it_in_lists",),
        why="The list of jobs is that of all tenants.",
    ),
    Mutation(
        "jobs/inputs/files.py",
        "if file is None or file.tenant_id != tenant_id:",
        "if file is None:",
        red=(_STRANGER,),
        why="A stranger reads and deletes another tenant's files.",
    ),
    Mutation(
        "jobs/inputs/items.py",
        "select(File).where(File.tenant_id == tenant_id, File.id.in_(wanted))",
        "select(File).where(File.id.in_(wanted))",
        red=("tests/integration/jobs/inputs/test_inputs.py::"
             "test_the_file_of_another_tenant_is_not_found",),
        why="A manifest's line names another tenant's file, and its answer tells what is in it.",
    ),
    Mutation(
        "jobs/uploads/uploads.py",
        "if upload is None or upload.tenant_id != tenant_id:",
        "if upload is None:",
        red=("tests/integration/api/uploads/test_refusals.py::"
             "test_another_tenant_finds_no_upload",),
        why="A stranger writes into another tenant's upload, or ends it.",
    ),
    Mutation(
        "jobs/uploads/uploads.py",
        ".where(Upload.tenant_id == tenant_id, Upload.state.in_(UNFINISHED))\n        .order_by",
        ".where(Upload.state.in_(UNFINISHED))\n        .order_by",
        red=("tests/integration/api/uploads/test_refusals.py::"
             "test_another_tenant_finds_no_upload",),
        why="The list of uploads shows those of all tenants.",
    ),
    Mutation(
        "jobs/uploads/uploads.py",
        "        Upload.tenant_id == tenant_id, Upload.state.in_(UNFINISHED)\n    )\n    count",
        "        Upload.state.in_(UNFINISHED)\n    )\n    count",
        red=("tests/integration/jobs/uploads/test_uploads.py::"
             "test_what_one_tenant_announces_takes_no_room_from_another",),
        why="One tenant's unfinished uploads leave no room to any other.",
    ),
    Mutation(
        "jobs/aftercare/output_files.py",
        "if job is None or job.tenant_id != tenant_id:",
        "if job is None:",
        red=(f"{_API}/jobs/test_output_files.py::test_nobody_reads_anothers_files",),
        why="A stranger reads another tenant's results as a file.",
    ),
    Mutation(
        "jobs/aftercare/output_files.py",
        "        Job.tenant_id == tenant_id,\n",
        "",
        red=(f"{_API}/jobs/test_output_files.py::test_nobody_reads_anothers_files",),
        why="The list of result files is that of all tenants.",
    ),
    Mutation(
        "jobs/aftercare/deletion.py",
        "if owner != tenant_id:",
        "if owner is None:",
        red=("tests/integration/jobs/test_deletion.py::"
             "test_another_tenants_job_cannot_be_deleted",),
        why="A stranger deletes another tenant's job.",
    ),
    Mutation(
        "jobs/aftercare/evaluation.py",
        "            Evaluation.tenant_id == tenant_id,\n",
        "",
        red=("tests/integration/api/jobs/test_evaluations.py::"
             "test_a_versions_card_has_the_newest_evaluations_of_its_own_tenant",),
        why="A shared model's card shows what others' data made of it.",
    ),
    Mutation(
        "jobs/intake/trainings.py",
        ".where(Job.tenant_id == tenant_id, Job.deleted_at.is_(None))",
        ".where(Job.deleted_at.is_(None))",
        red=(f"{_API}/jobs/test_trainings.py::"
             "test_trainings_are_listed_for_their_owner_and_apart_from_jobs",),
        why="A stranger sees another tenant's trainings.",
    ),
    Mutation(
        "jobs/versions/names.py",
        "if _OWNED.match(name) is not None:",
        "if False:",
        red=(f"{_API}/models/test_private_models.py::"
             "test_nobody_finds_another_tenants_models",),
        why="Whoever guesses a tenant's id runs that tenant's own model.",
    ),
    Mutation(
        "jobs/versions/registry.py",
        "        ~name.startswith(\"ten_\", autoescape=True),\n",
        "        name != \"\",\n",
        red=(f"{_API}/models/test_private_models.py::"
             "test_nobody_finds_another_tenants_models",),
        why="The list of models has those of other tenants.",
    ),
    Mutation(
        "jobs/watches/watches.py",
        "query = select(Watch).where(Watch.id == watch_id, Watch.tenant_id == tenant_id)",
        "query = select(Watch).where(Watch.id == watch_id)",
        red=("tests/integration/buckets/watches/test_routes.py::"
             "test_another_tenant_sees_and_changes_nothing",),
        why="A stranger pauses and deletes another tenant's watch.",
    ),
    Mutation(
        "jobs/watches/watches.py",
        "under_key = Watch.tenant_id == tenant_id, Watch",
        "under_key = Watch.tenant_id != \"\", Watch",
        red=("tests/integration/buckets/watches/test_routes.py::"
             "test_one_key_of_two_tenants_makes_a_watch_for_each",),
        why="Under a key that two tenants chose alike, the second is shown the first one's watch.",
    ),
    Mutation(
        "jobs/watches/watches.py",
        "query = select(Watch).where(Watch.tenant_id == tenant_id)",
        "query = select(Watch)",
        red=("tests/integration/buckets/watches/test_routes.py::"
             "test_another_tenant_sees_and_changes_nothing",),
        why="The list of watches shows the buckets of all tenants.",
    ),
    Mutation(
        "jobs/buckets/connections.py",
        "of_tenant = select(Connection).where(Connection.tenant_id == tenant_id)",
        "of_tenant = select(Connection)",
        red=("tests/integration/buckets/test_connections.py::"
             "test_nobody_reaches_another_tenants_connection",),
        why="A job reads a bucket by another tenant's credentials.",
    ),
    Mutation(
        "jobs/buckets/connections.py",
        "if said.pop(\"tenant_id\", None) != row.tenant_id:",
        "if said.pop(\"tenant_id\", None) is None:",
        red=("tests/integration/buckets/test_connections.py::"
             "test_nobody_reaches_another_tenants_connection",),
        why="Sealed credentials that were copied into another tenant's row open there.",
    ),
    Mutation(
        "jobs/queue/deliveries.py",
        "query = select(Delivery).where(Delivery.tenant_id == tenant_id)",
        "query = select(Delivery)",
        red=(f"{_API}/webhooks/test_deliveries.py::"
             "test_they_are_listed_newest_first_by_job_endpoint_and_state",),
        why="The log of webhooks shows where other tenants are told, and of which jobs.",
    ),
    Mutation(
        "jobs/queue/deliveries.py",
        "Delivery.id == delivery_id, Delivery.tenant_id == tenant_id)",
        "Delivery.id == delivery_id)",
        red=(f"{_API}/webhooks/test_deliveries.py::"
             "test_what_cannot_be_sent_again_says_why",),
        why="A stranger sends another tenant's webhook again.",
    ),
    Mutation(
        "jobs/queue/endpoints.py",
        "WebhookEndpoint.id == endpoint_id, WebhookEndpoint.tenant_id == tenant_id\n",
        "WebhookEndpoint.id == endpoint_id\n",
        red=(f"{_API}/webhooks/test_endpoints.py::test_another_tenants_endpoint_is_not_there",),
        why="A stranger points another tenant's webhooks at a server of its own.",
    ),
    Mutation(
        "jobs/events/glimpses.py",
        "(_jobs.tenant_id == given.c.tenant_id) & (_jobs.last_event",
        "(_jobs.last_event",
        red=("tests/integration/api/live/test_openings.py::"
             "test_another_tenants_job_is_not_there_and_its_events_are_not_told",),
        why="What one look finds for a tenant has the jobs of all.",
    ),
)  # fmt: skip
