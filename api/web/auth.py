"""Who calls: every call needs a key, except the few that are named here.

The rule is turned round on purpose: a new route is protected unless somebody writes it into
`OPEN_ENDPOINTS`. A browser that has signed in sends the cookie of its session in place of the key
(api.web.sessions), and may do by it what the key may.
"""

import hmac

from apiflask import APIFlask
from flask import g, request

from api.current import ground
from api.web.sessions import TOKEN_HEADER, caller_of_cookie, check_form_token, has_cookie
from jobs.base.errors import Unauthenticated
from jobs.tables import Share
from jobs.tenants.keys import Caller, read_key
from jobs.tenants.shares import open_share

# The page's blueprints; their forms bring the token in a field (api.page.forms).
PAGE_PREFIX = "page_"
_OPEN_PAGES = frozenset(
    f"{PAGE_PREFIX}entrance.{name}" for name in ("home", "show_sign_in", "enter", "asset")
)
# Whoever has a link is shown what it names (jobs.tenants.shares), whoever they are.
SHARED_ENDPOINTS = frozenset(
    f"{PAGE_PREFIX}shared.{name}"
    for name in ("show_shared", "show_shared_live", "download_shared", "show_shared_picture")
)
_OPEN_CALLS = frozenset({"health.healthz", "health.readyz", "openapi.spec"})
OPEN_ENDPOINTS = _OPEN_PAGES | SHARED_ENDPOINTS | _OPEN_CALLS | {"docs.page", "docs.asset"}

# Read by whoever has the token of the settings, which is good for nothing else.
SCRAPED_ENDPOINTS = frozenset({"metrics.read_metrics"})

SCHEME = "bearerKey"

# Names under which other services take keys from the query; a key there ends up in access logs.
_KEY_NAMES = frozenset({"api_key", "apikey", "key", "token", "access_token"})
_KEY_PREFIX = "pm_live_"


def protect(app: APIFlask) -> None:
    """Let nobody in without a key."""
    app.before_request(_authenticate)


def _authenticate() -> None:
    if request.endpoint in SHARED_ENDPOINTS:
        g.share, g.tenant_id = _by_link()
        return
    # A path that leads nowhere is answered 404 or 405, whoever asks.
    if request.endpoint is None or request.endpoint in OPEN_ENDPOINTS:
        return
    _refuse_key_in_query()
    if has_cookie():
        g.tenant_id, g.key_id, g.is_admin = _by_session()
        return
    key = _bearer_key()
    if request.endpoint in SCRAPED_ENDPOINTS and _is_scrapers(key):
        g.is_scraper = True
    else:
        g.tenant_id, g.key_id, g.is_admin = _by_key(key)


def _by_link() -> tuple[Share, str]:
    """Give a link and the tenant of its job; raises NotFound."""
    token = (request.view_args or {})["token"]
    with ground().database.read() as session:
        return open_share(session, token, ground().settings.connection_key)


def _by_key(key: str) -> Caller:
    with ground().database.read() as session:
        return read_key(session, key)


def _by_session() -> Caller:
    caller = caller_of_cookie()
    if request.method not in ("GET", "HEAD") and not is_page():
        check_form_token(request.headers.get(TOKEN_HEADER, ""))
    return caller


def is_page() -> bool:
    """Say whether the request is for a page, and not for a call of the API."""
    return (request.blueprint or "").startswith(PAGE_PREFIX)


def _is_scrapers(key: str) -> bool:
    token = ground().settings.metrics_token
    return bool(token) and hmac.compare_digest(token.encode(), key.encode())


def _bearer_key() -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthenticated(
            "This call needs an API key. Send it as the header `Authorization: Bearer <key>`; an "
            "operator makes one with `pixelmill keys create`."
        )
    return key.strip()


def _refuse_key_in_query() -> None:
    for name, value in request.args.items(multi=True):
        if value.startswith(_KEY_PREFIX) or name.lower() in _KEY_NAMES:
            raise Unauthenticated(
                "An API key must not be part of a URL, where logs and proxies keep it. Send it as "
                "the header `Authorization: Bearer <key>`, and have this one revoked.",
                param=name,
            )
