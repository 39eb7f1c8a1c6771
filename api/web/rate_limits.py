"""How many requests a tenant may make. Counted in Redis, for all processes together.

Redis may be away: then each process counts for itself, and nobody is refused for our outage. The
count is a tenant's and not a key's, so that making keys makes no quota. Links are counted beside
it, each for itself, so that whoever has one shuts out nobody else; and all of a tenant together
again, so that making links makes no quota either.
"""

from apiflask import APIFlask
from flask import g
from flask_limiter import ApplicationLimit, Limiter, RequestLimit

from api.current import tenant_id
from jobs.base.settings import Settings
from jobs.tables import Share

# A limit that answers late is worse than one that is counted in memory for a while.
_REDIS_OPTIONS: dict[str, str | int] = {"socket_timeout": 1, "socket_connect_timeout": 1}


def limit_requests(app: APIFlask, settings: Settings) -> None:
    """Count the requests of each tenant and link; call it after authentication is set up."""
    limits = [
        ApplicationLimit(rate, key_function=whose, exempt_when=exempt)
        for rate, whose, exempt in (
            (settings.rate_limit, tenant_id, _is_by_link),
            (settings.rate_limit, _links_of_tenant, _is_by_key),
            (settings.link_rate_limit, _link, _is_by_key),
        )
        if rate
    ]
    if not limits:
        return
    limiter = Limiter(
        tenant_id,
        application_limits=[*limits],
        storage_uri=storage_uri(settings.redis_url),
        storage_options=_REDIS_OPTIONS,
        in_memory_fallback_enabled=True,
        key_prefix="pixelmill",
        on_breach=_note_reset,
    )
    limiter.request_filter(_is_open)
    limiter.init_app(app)


def storage_uri(redis_url: str) -> str:
    """Give the form of a Redis URL that the `limits` library reads."""
    return f"redis+{redis_url}" if redis_url.startswith("unix://") else redis_url


def _is_open() -> bool:
    return "tenant_id" not in g


def _is_by_link() -> bool:
    return "share" in g


def _is_by_key() -> bool:
    return "share" not in g


def _link() -> str:
    share: Share = g.share
    return share.id


def _links_of_tenant() -> str:
    return f"links of {tenant_id()}"


def _note_reset(limit: RequestLimit) -> None:
    g.rate_limit_reset_at = limit.reset_at
