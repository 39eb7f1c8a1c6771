"""What callers may ask of results."""

from pydantic import Field

from api.results.forms.table import FORMS, PAGES
from api.web.schemas import Strict
from jobs.base.states import ItemStatus


class ChangesQuery(Strict):
    """Which changes to read, in the order of their items."""

    after: int = Field(0, ge=0, description="The `last_id` of the page before.")
    limit: int = Field(100, ge=1, le=1000)


class ResultsQuery(Strict):
    """Which results to read, and how."""

    after: str | None = Field(None, description="The `last_id` of the page before.")
    limit: int | None = Field(None, ge=1, le=1000, description="Rows a page; 100 for json.")
    status: ItemStatus | None = None
    format: str = Field(
        PAGES,
        description="Which of them a job has hangs on its task.",
        json_schema_extra={"enum": [PAGES, *FORMS]},
    )
