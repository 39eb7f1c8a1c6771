"""Tenants: nobody gets in without a good key, and nobody sees or changes what is another's."""

from tests.mutations.mutation import Mutation

_API = "tests/integration/api"
_AUTH = f"{_API}/front/test_auth.py"
_STRANGER = f"{_AUTH}::test_a_stranger_finds_nothing_of_another_tenant"
_SIGNING_IN = f"{_API}/page/test_signing_in.py"
_SESSION_ENDS = f"{_SIGNING_IN}::test_a_session_is_over_after_its_time_and_cannot_be_lengthened"

TENANTS = (
    Mutation(
        "jobs/tenants/keys.py",
        "if not hmac.compare_digest(stored, _hash(secret)) or row is None:",
        "if row is None:",
        red=(_AUTH, "tests/unit/jobs/test_keys.py"),
        why="The secret of a key is not compared: whoever knows its id gets in.",
    ),
    Mutation(
        "jobs/tenants/keys.py",
        "    if row.revoked_at is not None:\n        raise Unauthenticated(",
        "    if False:\n        raise Unauthenticated(",
        red=(f"{_AUTH}::test_a_revoked_key_is_refused_at_once",),
        why="A revoked key still opens everything.",
    ),
    Mutation(
        "jobs/tenants/keys.py",
        "ApiKey.id.in_(key_ids), ApiKey.revoked_at.is_(None))",
        "ApiKey.id.in_(key_ids))",
        red=(f"{_API}/live/test_streams.py",),
        why="A stream goes on telling whoever holds a key that was revoked.",
    ),
    Mutation(
        "jobs/tenants/keys.py",
        "        query = query.where(ApiKey.tenant_id == tenant_id)\n",
        "        pass\n",
        red=(f"{_API}/page/test_what_forms_do.py::test_a_tenant_sees_its_own_keys_alone",),
        why="A tenant's page of keys shows those of everybody.",
    ),
    Mutation(
        "jobs/tenants/keys.py",
        "if tenant.startswith(\"pixelmill:\"):",
        "if False:",
        red=(f"{_API}/test_commands.py", f"{_API}/page/test_what_forms_do.py"),
        why="A key of the tenant of shadows can be made, and reads what others submitted.",
    ),
    Mutation(
        "jobs/tenants/sessions.py",
        "if not hmac.compare_digest(signature, _signature(signing_key, head)):",
        "if False:",
        red=(_SESSION_ENDS,),
        why="Anybody makes up a session of anybody's key.",
    ),
    Mutation(
        "jobs/tenants/sessions.py",
        "if int(ends_at) <= now:",
        "if False:",
        red=(_SESSION_ENDS,),
        why="A session never ends.",
    ),
    Mutation(
        "jobs/tenants/sessions.py",
        "if row is None or row.revoked_at is not None:",
        "if row is None:",
        red=(f"{_SIGNING_IN}::test_a_revoked_key_ends_its_sessions",),
        why="A browser stays signed in with a key that was revoked.",
    ),
    Mutation(
        "api/web/sessions.py",
        "is_ours = site == \"same-origin\"",
        "is_ours = site != \"cross-site\"",
        red=(f"{_SIGNING_IN}::test_forms_of_other_sites_change_nothing",),
        why="A page on a neighbouring host of the same site acts for whoever is signed in.",
    ),
    Mutation(
        "api/web/auth.py",
        "request.method not in (\"GET\", \"HEAD\") and not is_page()",
        "False",
        red=(f"{_SIGNING_IN}::"
             "test_a_session_may_call_the_api_with_its_token_as_its_key_may",),
        why="Calls of the API by a cookie need no token of a form.",
    ),
    Mutation(
        "api/web/auth.py",
        "    if request.endpoint in SCRAPED_ENDPOINTS and _is_scrapers(key):",
        "    if _is_scrapers(key):",
        red=(f"{_API}/operation/test_metrics.py",),
        why="The token for figures gets past the door of every other call.",
    ),
    Mutation(
        "api/web/auth.py",
        "    _refuse_key_in_query()\n    if has_cookie",
        "    if has_cookie",
        red=(f"{_AUTH}::test_a_key_in_the_query_is_refused_even_beside_a_good_header",),
        why="Keys end up in the logs of proxies, and nobody is told.",
    ),
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
        red=(_AUTH, f"{_API}/jobs/test_jobs.py"),
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
        "api/jobs/routes.py",
        "    require_admin(\"Listing other tenants' jobs\")\n",
        "",
        red=(f"{_API}/jobs/test_jobs.py::"
             "test_an_operator_lists_the_jobs_of_others_when_asked_to",),
        why="Any tenant lists the jobs of any other by its name.",
    ),
    Mutation(
        "api/admin/routes.py",
        "    require_admin(\"What is shown of all tenants\")",
        "    return",
        red=(f"{_API}/operation/test_admin.py",),
        why="Everybody sees what all tenants do, and drains workers.",
    ),
    Mutation(
        "api/models/audit.py",
        "    require_admin(\"The log of changes\")\n",
        "",
        red=(f"{_API}/models/test_aliases.py", f"{_API}/models/test_versions.py"),
        why="Everybody reads who changed what, in the stored names of others' models.",
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
        red=(f"{_API}/uploads/test_refusals.py", f"{_API}/uploads/test_uploads.py"),
        why="A stranger writes into another tenant's upload, or ends it.",
    ),
    Mutation(
        "jobs/uploads/uploads.py",
        ".where(Upload.tenant_id == tenant_id, Upload.state.in_(UNFINISHED))\n        .order_by",
        ".where(Upload.state.in_(UNFINISHED))\n        .order_by",
        red=(f"{_API}/uploads/test_refusals.py", f"{_API}/uploads/test_uploads.py"),
        why="The list of uploads shows those of all tenants.",
    ),
    Mutation(
        "jobs/uploads/uploads.py",
        "        Upload.tenant_id == tenant_id, Upload.state.in_(UNFINISHED)\n    )\n    count",
        "        Upload.state.in_(UNFINISHED)\n    )\n    count",
        red=(f"{_API}/uploads/test_refusals.py", "tests/integration/jobs/uploads/test_uploads.py"),
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
        red=("tests/integration/workers/errands/test_evaluating.py::"
             "test_a_tenant_finds_its_own_newest_evaluations_of_one_version_alone",),
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
        red=("tests/integration/buckets/watches/test_routes.py",),
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
        red=("tests/integration/buckets/test_connections.py",),
        why="A job reads a bucket by another tenant's credentials.",
    ),
    Mutation(
        "jobs/buckets/connections.py",
        "if said.pop(\"tenant_id\", None) != row.tenant_id:",
        "if said.pop(\"tenant_id\", None) is None:",
        red=("tests/integration/buckets/test_connections.py",),
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
        red=(f"{_API}/live/test_openings.py", f"{_API}/live/test_feed.py"),
        why="What one look finds for a tenant has the jobs of all.",
    ),
    Mutation(
        "api/results/routes.py",
        "\"private, max-age=3600\"",
        "\"public, max-age=3600\"",
        red=(f"{_API}/test_overlays.py",),
        why="A shared cache gives one tenant's picture to the next.",
    ),
    Mutation(
        "api/web/security_headers.py",
        "\"private, no-cache\"",
        "\"public, max-age=60\"",
        red=(f"{_API}/front/test_problems.py::"
             "test_every_answer_has_the_headers_that_tame_a_browser",
             f"{_API}/jobs/test_jobs.py"),
        why="A shared cache gives one tenant's job to the next.",
    ),
)  # fmt: skip
