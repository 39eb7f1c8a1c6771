"""Who calls: every call needs a key, except the few that are named here.

The rule is turned round on purpose: a new route is protected unless somebody writes it into
`OPEN_ENDPOINTS`.
"""

import hmac

from apiflask import APIFlask
from flask import g, request

from api.current import ground
from jobs.base.errors import Unauthenticated
from jobs.tenants.keys import read_key

OPEN_ENDPOINTS = frozenset({"health.healthz", "health.readyz", "openapi.spec", "docs.page"})

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
    # A path that leads nowhere is answered 404 or 405, whoever asks.
    if request.endpoint is None or request.endpoint in OPEN_ENDPOINTS:
        return
    _refuse_key_in_query()
    key = _bearer_key()
    if request.endpoint in SCRAPED_ENDPOINTS and _is_scrapers(key):
        g.is_scraper = True
        return
    with ground().database.read() as session:
        caller = read_key(session, key)
    g.tenant_id, g.key_id, g.is_admin = caller


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
