"""Models and their versions, page by page: a record may hold thousands of labels.

A page ends at so many rows, and before that at so many bytes of records: what a caller asks for
costs the API no more memory than that, however many versions there are.
"""

import re
from typing import Any

import orjson
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from jobs.base.errors import InvalidRequest, UnknownModel
from jobs.base.states import VersionState
from jobs.tables import ModelVersion
from jobs.versions.names import stored_name
from jobs.versions.registry import find, is_seen_by

# Of all records of a page but its last; the answer takes about six times as much in memory.
_MOST_RECORD_BYTES = 8 * 1024 * 1024
# Rows that are fetched at a time.
_STEP = 4
_CURSOR = re.compile(r"(.+)@([0-9]{1,9})")


def list_models(
    session: Session, tenant_id: str, *, after: str | None, limit: int
) -> tuple[list[ModelVersion], bool]:
    """Give the models that a tenant sees, by name, each in its newest version that is ready.

    after: the id of the last of the page before. Gives the page, and whether there is more.
    """
    name = ModelVersion.name
    newest = (
        select(name, func.max(ModelVersion.version).label("version"))
        .where(ModelVersion.state == VersionState.READY, is_seen_by(tenant_id))
        .group_by(name)
        .subquery()
    )
    query = (
        select(ModelVersion)
        .join(newest, (newest.c.name == name) & (newest.c.version == ModelVersion.version))
        .order_by(name)
    )
    if after is not None:
        query = query.where(name > _taken_apart(after, tenant_id)[0])
    return _page(session, query, limit)


def list_versions(
    session: Session, name: str, tenant_id: str, *, after: str | None, limit: int
) -> tuple[list[ModelVersion], bool]:
    """Give the versions of a model, newest first; raises UnknownModel when there is none.

    after: the id of the last of the page before. Gives the page, and whether there is more.
    """
    any_of_them = find(session, name, tenant_id).version
    query = (
        select(ModelVersion)
        .where(
            ModelVersion.name == any_of_them.name,
            ModelVersion.state != VersionState.DELETED,
        )
        .order_by(ModelVersion.version.desc())
    )
    if after is not None:
        query = query.where(ModelVersion.version < _taken_apart(after, tenant_id)[1])
    return _page(session, query, limit)


def _page(session: Session, query: Select[Any], limit: int) -> tuple[list[ModelVersion], bool]:
    rows: list[ModelVersion] = []
    held = 0
    for version in session.scalars(query.limit(limit + 1).execution_options(yield_per=_STEP)):
        if len(rows) == limit or held > _MOST_RECORD_BYTES:
            return rows, True
        rows.append(version)
        held += len(orjson.dumps(version.record))
    return rows, False


def _taken_apart(cursor: str, tenant_id: str) -> tuple[str, int]:
    """Give the stored name and the number of a version's id; raises InvalidRequest."""
    try:
        found = _CURSOR.fullmatch(cursor)
        if found is not None:
            return stored_name(found[1], tenant_id), int(found[2])
    except UnknownModel:
        pass
    raise InvalidRequest(
        f"`after` is {cursor!r}; it is the `last_id` of the page before, such as `digits@3`.",
        param="after",
    )
