"""How models are called: `digits` is everybody's, `my/cats` the caller's own.

A tenant's own model is stored as `{tenant id}/cats` and shown as `my/cats`, so that two tenants'
cats never meet and nobody can name, see or guess another's. Pure functions, no I/O.
"""

import re

from jobs.base.errors import InvalidRequest, UnknownModel

MINE = "my/"

_OWNED = re.compile(r"(ten_[0-9a-z]{26})/(.+)", re.DOTALL)
_SEGMENT = r"[a-z0-9][a-z0-9._-]{0,63}"
_NEW_NAME = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT}){{0,2}}", re.ASCII)
# Words that follow a model's name in a path, and what stands for an owner.
_RESERVED = frozenset({"versions", "aliases", "my"})
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,63}", re.ASCII)


def stored_name(name: str, tenant_id: str) -> str:
    """Give the name that a tenant's word for a model is stored under.

    Raises UnknownModel for the stored form of anybody's own model: nobody has to know it.
    """
    if _OWNED.match(name) is not None:
        raise unknown_model(name)
    return f"{tenant_id}/{name.removeprefix(MINE)}" if name.startswith(MINE) else name


def shown_name(stored: str) -> str:
    """Give the name that its owner, or everybody, knows a model by."""
    owned = _OWNED.fullmatch(stored)
    return MINE + owned[2] if owned is not None else stored


def owner_of(stored: str) -> str | None:
    """Give the tenant that a model belongs to; None if all share it."""
    owned = _OWNED.fullmatch(stored)
    return owned[1] if owned is not None else None


def check_new_name(name: str) -> None:
    """Refuse a name, in its caller's form, that no model may be given; raises InvalidRequest."""
    own = name.removeprefix(MINE)
    if not _NEW_NAME.fullmatch(own) or _RESERVED & set(own.split("/")) or own.startswith("ten_"):
        raise InvalidRequest(
            f"{name!r} cannot be a model's name: use small letters, digits, dots, dashes and "
            "underscores, such as `my/cats` for one of your own. `versions` and `aliases` are "
            "taken.",
            param="name",
        )


def check_alias(alias: str) -> None:
    """Refuse a word that no alias can be; raises InvalidRequest."""
    if not _ALIAS.fullmatch(alias):
        raise InvalidRequest(
            f"{alias!r} cannot be an alias: it begins with a small letter, and goes on with small "
            "letters, digits, dashes and underscores, 64 at most, such as `production`.",
            param="alias",
        )


def unknown_model(reference: str, near: str | None = None) -> UnknownModel:
    """Say that there is no such model, which is most like it, and how to find all."""
    meant = "" if near is None else f"Did you mean {near!r}? "
    return UnknownModel(
        f"There is no model {reference!r} here. {meant}GET /v1/models (or `pixelmill models`) "
        "lists those that are registered; `pixelmill push` adds one of your own, and an operator "
        "adds one for all with `pixelmill register`.",
        param="model",
    )
