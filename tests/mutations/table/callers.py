"""Who calls: nobody gets in without a good key, and each may do what is its own to do."""

from tests.mutations.mutation import Mutation

_API = "tests/integration/api"
_AUTH = f"{_API}/front/test_auth.py"
_SIGNING_IN = f"{_API}/page/test_signing_in.py"
_SESSION_ENDS = f"{_SIGNING_IN}::test_a_session_is_over_after_its_time_and_cannot_be_lengthened"

CALLERS = (
    Mutation(
        "jobs/tenants/keys.py",
        "if not hmac.compare_digest(stored, _hash(secret)) or row is None:",
        "if row is None:",
        red=("tests/integration/api/front/test_auth.py::"
             "test_a_known_key_with_another_secret_is_refused",),
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
        red=("tests/integration/api/live/test_streams.py::"
             "test_a_revoked_key_ends_its_streams",),
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
        red=("tests/integration/workers/errands/test_shadows.py::"
             "test_no_caller_sees_or_pays_for_a_shadow",),
        why="A key of the tenant of shadows can be made, and reads what others submitted.",
    ),
    Mutation(
        "jobs/tenants/derived_keys.py",
        "if hmac.compare_digest(given, signature(each, text)):",
        "if True:",
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
        red=("tests/integration/api/operation/test_metrics.py::"
             "test_a_token_of_the_settings_opens_them_and_nothing_else",),
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
        red=("tests/integration/api/operation/test_admin.py::"
             "test_a_tenants_key_sees_nothing_of_it",),
        why="Everybody sees what all tenants do, and drains workers.",
    ),
    Mutation(
        "api/models/audit.py",
        "    require_admin(\"The log of changes\")\n",
        "",
        red=("tests/integration/api/test_commands.py::"
             "test_only_an_admins_key_is_an_operators_and_the_log_says_who_has_one",),
        why="Everybody reads who changed what, in the stored names of others' models.",
    ),
    Mutation(
        "api/results/routes.py",
        "\"private, max-age=3600\"",
        "\"public, max-age=3600\"",
        red=("tests/integration/api/test_overlays.py::"
             "test_an_overlay_is_served_as_an_image_that_only_its_tenant_may_keep",),
        why="A shared cache gives one tenant's picture to the next.",
    ),
    Mutation(
        "api/web/security_headers.py",
        "\"private, no-cache\"",
        "\"public, max-age=60\"",
        red=("tests/integration/api/front/test_problems.py::"
             "test_every_answer_has_the_headers_that_tame_a_browser",),
        why="A shared cache gives one tenant's job to the next.",
    ),
)  # fmt: skip
