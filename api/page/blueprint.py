"""What all pages have in common: their policy, their errors, and what templates can say."""

import structlog
from apiflask import APIBlueprint, APIFlask
from flask import Response, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from api.current import is_admin, link
from api.page import words
from api.page.assets import address_of
from api.web.auth import PAGE_PREFIX
from api.web.problems import refused_by_flask
from jobs.base.database import is_outage
from jobs.base.errors import BeingMade, PixelmillError, Unauthenticated
from jobs.base.storage import StorageError
from jobs.presence.version import installed_version

log = structlog.get_logger(__name__)

# No script and no style but ours, in files of their own: what a file's name or a label says can run
# nothing, wherever it stands. Pictures of a script's own making are previews of what was dropped.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def page_blueprint(name: str) -> APIBlueprint:
    """Make the blueprint of some pages; the OpenAPI document does not list them."""
    blueprint = APIBlueprint(
        f"{PAGE_PREFIX}{name}", __name__, enable_openapi=False, template_folder="templates"
    )
    blueprint.after_request(_guard)
    blueprint.context_processor(_said)
    blueprint.register_error_handler(PixelmillError, _told)
    blueprint.register_error_handler(HTTPException, _refused)
    blueprint.register_error_handler(SQLAlchemyError, _away)
    blueprint.register_error_handler(StorageError, _away)
    blueprint.register_error_handler(Exception, _unexpected)
    return blueprint


def show_lost_people(app: APIFlask) -> None:
    """Have browsers shown a page where a path leads nowhere; programs are told as always."""
    app.register_error_handler(404, _lost)


def is_fragment() -> bool:
    """Say whether a part of a page is asked for, by the script that keeps it up to date."""
    return "HX-Request" in request.headers


def _guard(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    # Otherwise a form would not say where it comes from.
    response.headers.setdefault("Referrer-Policy", "same-origin")
    # Never shown to whoever comes back to a browser after the session has ended.
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _said() -> dict[str, object]:
    signed_in = "key_id" in g
    return {
        "words": words,
        "asset": address_of,
        "version": installed_version(),
        "signed_in": signed_in,
        "key_id": g.get("key_id"),
        "is_admin": signed_in and is_admin(),
        "form_token": g.get("form_token", ""),
        "said": words.done_text(request.args),
    }


def _told(err: PixelmillError) -> ResponseReturnValue:
    if isinstance(err, Unauthenticated):
        return _to_sign_in()
    response = make_response(_shown(err.status, err.code, err.message))
    if isinstance(err, BeingMade):
        # Scripts look again by the one, people without them by the other.
        response.headers["Retry-After"] = response.headers["Refresh"] = "1"
    return response


def _to_sign_in() -> ResponseReturnValue:
    address = url_for(f"{PAGE_PREFIX}entrance.show_sign_in")
    if is_fragment():
        return Response(status=401, headers={"HX-Redirect": address})
    if request.method == "GET" and request.path != "/jobs":
        wanted = link(request.full_path.rstrip("?"))
        address = url_for(f"{PAGE_PREFIX}entrance.show_sign_in", to=wanted)
    return redirect(address, 303)


def _lost(err: HTTPException) -> ResponseReturnValue:
    best = request.accept_mimetypes.best_match(("application/json", "text/html"))
    if best != "text/html" or request.path.startswith("/v1/"):
        return refused_by_flask(err)
    text = "There is nothing at this address. The link may be an old one, or not whole."
    response = make_response(_shown(404, "not_found", text))
    return _guard(response)


def _refused(err: HTTPException) -> ResponseReturnValue:
    status = err.code or 500
    if err.response is not None or status < 400:
        return err.get_response()
    return _shown(status, "malformed_request", err.description or "This cannot be read.")


def _away(err: Exception) -> ResponseReturnValue:
    if isinstance(err, SQLAlchemyError) and not is_outage(err):
        return _unexpected(err)
    log.warning("page_away", error=type(err).__name__)
    text = "The database or the storage does not answer just now. Reload the page in a moment."
    return _shown(503, "temporarily_unavailable", text)


def _unexpected(err: Exception) -> ResponseReturnValue:
    log.error("request_failed", error=type(err).__name__, exc_info=err)
    text = f"Something went wrong here. Tell the operator the request id {g.get('request_id')}."
    return _shown(500, "internal_error", text)


def _shown(status: int, code: str, message: str) -> ResponseReturnValue:
    template = "error_fragment.html" if is_fragment() else "error.html"
    # What no blueprint answers has no context of its pages' either.
    said = {**_said(), "status": status, "code": code, "message": message}
    return render_template(template, **said), status
