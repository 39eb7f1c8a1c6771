"""The cookie of a browser that has signed in, and what keeps other sites from using it.

SameSite keeps it out of what other sites send. What changes anything must also come from a page of
ours, as the browser says in Sec-Fetch-Site or Origin, and bring along the session's own token: a
form as the field `form_token`, a script as the header X-Form-Token.
"""

import hmac
import time
from urllib.parse import urlsplit

from flask import Response, g, request

from api.current import ground
from jobs.base.errors import NotAllowed
from jobs.tenants.keys import Caller
from jobs.tenants.sessions import LASTS_S, begin_session, end_session, read_session

COOKIE = "pixelmill_session"
TOKEN_HEADER = "X-Form-Token"  # noqa: S105  # the name of a header

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def has_cookie() -> bool:
    """Say whether the request comes with a session instead of a key."""
    return COOKIE in request.cookies and "Authorization" not in request.headers


def caller_of_cookie() -> Caller:
    """Say who has signed in; raises Unauthenticated, and NotAllowed for another site's request."""
    settings = ground().settings
    with ground().database.read() as session:
        signed_in = read_session(
            session, request.cookies[COOKIE], time.time(), settings.connection_key
        )
    g.form_token, g.visit = signed_in.form_token, signed_in.visit
    if request.method not in _SAFE:
        refuse_other_sites()
    return signed_in.caller


def check_form_token(token: str) -> None:
    """Refuse what was not sent by a page of this session; raises NotAllowed."""
    if not hmac.compare_digest(token.encode(), g.form_token.encode()):
        raise NotAllowed("This form belongs to another session. Reload the page, and send it anew.")


def refuse_other_sites() -> None:
    """Refuse a request that a page of another site has made; raises NotAllowed."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        is_ours = site == "same-origin"
    else:
        # Browsers say the former only where the connection is safe.
        is_ours = origin is None or urlsplit(origin).netloc == request.host
    if not is_ours:
        raise NotAllowed("This was sent by a page of another site. Use this server's own pages.")


def sign_in(response: Response, key: str) -> Response:
    """Give the browser a session of a key; raises Unauthenticated when the key is not good."""
    with ground().database.read() as session:
        token = begin_session(session, key, time.time(), ground().settings.connection_key)
    response.set_cookie(
        COOKIE,
        token,
        max_age=LASTS_S,
        path=_path(),
        secure=_is_https(),
        httponly=True,
        samesite="Strict",
    )
    return response


def sign_out(response: Response) -> Response:
    """End the session, and have the browser forget it."""
    end_session(ground().database, g.visit, time.time())
    response.delete_cookie(COOKIE, path=_path())
    return response


def _path() -> str:
    return request.script_root or "/"


def _is_https() -> bool:
    # A proxy ends TLS and says so; who says so of plain HTTP keeps the cookie from itself alone.
    return request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"
