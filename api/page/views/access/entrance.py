"""The way in and out: `/`, signing in with a key, and the files that every page loads."""

from urllib.parse import urlsplit

from flask import Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from api.page.assets import ASSETS
from api.page.blueprint import page_blueprint
from api.page.forms import read_form, read_open_form, takes_form
from api.web.sessions import refuse_other_sites, sign_in, sign_out
from jobs.base.errors import Unauthenticated

entrance = page_blueprint("entrance")


@entrance.get("/")
def home() -> ResponseReturnValue:
    """Lead to the jobs; whoever has no session is led on to sign in."""
    return redirect(url_for("page_jobs.show_jobs"), 303)


@entrance.get("/sign-in")
def show_sign_in() -> ResponseReturnValue:
    """Ask for a key."""
    return render_template("sign_in.html", to=_inside(request.args.get("to", "")))


@entrance.post("/sign-in")
@takes_form
def enter() -> ResponseReturnValue:
    """Begin a session with the key that was sent."""
    refuse_other_sites()
    form = read_open_form()
    to = _inside(form.get("to", ""))
    try:
        return sign_in(
            _see_other(to or url_for("page_jobs.show_jobs")), form.get("key", "").strip()
        )
    except Unauthenticated as err:
        return render_template("sign_in.html", to=to, fault=err.message), 401


@entrance.post("/sign-out")
@takes_form
def leave() -> ResponseReturnValue:
    """Have the browser forget the session."""
    read_form()
    return sign_out(_see_other(url_for("page_entrance.show_sign_in")))


@entrance.get("/static/<path:name>")
def asset(name: str) -> Response:
    """Send a file that pages are made of."""
    return ASSETS.answer_with(name)


def _see_other(address: str) -> Response:
    return make_response(redirect(address, 303))


def _inside(address: str) -> str:
    """Give an address if it is a path of ours; nobody is led to another site from here."""
    parts = urlsplit(address)
    is_ours = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if is_ours and not parts.netloc and "\\" not in address else ""
