"""Lists of versions and models, page by page."""

from typing import Any

from jobs.base.bootstrap import Ground
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from models.catalog import SHIPPED
from tests.integration.api.callers import Caller, check_problem


def insert_versions(ground: Ground, key: NewKey, name: str, count: int, **record: Any) -> None:
    with ground.database.write() as session:
        session.add_all(
            ModelVersion(
                name=f"{key.tenant_id}/{name}",
                version=number,
                record={**SHIPPED["digits"].to_json(), "name": f"my/{name}", **record},
                weights=f"models/{name}/{number}",
                digest=f"sha256:{name}{number}",
                state="ready",
                author="key",
                created_at=1.0,
            )
            for number in range(1, count + 1)
        )


def walked(caller: Caller, path: str, **query: Any) -> list[list[str]]:
    """Give the ids of every page of a list."""
    pages, after = [], None
    while True:
        page = caller.get(path, query_string=query | ({"after": after} if after else {})).json
        pages.append([each["id"] for each in page["data"]])
        after = page["last_id"]
        if not page["has_more"]:
            return pages


def test_versions_and_models_come_page_by_page(
    caller: Caller, ground: Ground, tenant: NewKey
) -> None:
    insert_versions(ground, tenant, "cats", 7)
    for name in ("ants", "bees", "cows"):
        insert_versions(ground, tenant, name, 2)
    assert walked(caller, "/v1/models/my/cats/versions", limit=3) == [
        ["my/cats@7", "my/cats@6", "my/cats@5"],
        ["my/cats@4", "my/cats@3", "my/cats@2"],
        ["my/cats@1"],
    ]
    ids = [each for page in walked(caller, "/v1/models", limit=2) for each in page]
    assert [each for each in ids if each.startswith("my/")] == [
        "my/ants@2",
        "my/bees@2",
        "my/cats@7",
        "my/cows@2",
    ]
    assert len(ids) == len(set(ids))
    for after in ("cats", "@3", "my/cats@three", f"my/cats@{10**12}", f"ten_{'0' * 26}/cats@1"):
        problem = check_problem(caller.get("/v1/models", query_string={"after": after}), 422)
        assert "last_id" in problem["detail"]


def test_a_page_of_large_records_ends_before_it_is_large(
    caller: Caller, ground: Ground, tenant: NewKey
) -> None:
    labels = [f"{number:06d} {'x' * 190}" for number in range(20_000)]
    insert_versions(ground, tenant, "cats", 6, labels=labels)
    pages = walked(caller, "/v1/models/my/cats/versions")
    assert [len(page) for page in pages] == [3, 3]
    assert [*pages[0], *pages[1]] == [f"my/cats@{number}" for number in (6, 5, 4, 3, 2, 1)]
