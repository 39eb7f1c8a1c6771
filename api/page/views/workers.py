"""Workers and the queue: who holds what by the leases that live, and what waits."""

from collections import Counter

from flask import render_template
from flask.typing import ResponseReturnValue

from api.current import ground, is_admin, tenant_id
from api.page.blueprint import is_fragment, page_blueprint
from api.system.readiness import readiness
from jobs.overview.standing import waiting, working
from jobs.presence.workers import living

workers = page_blueprint("workers")


@workers.get("/workers")
def show_workers() -> ResponseReturnValue:
    """Show who works and what waits: of the tenant's own jobs, to an operator of all."""
    of_tenant = None if is_admin() else tenant_id()
    with ground().database.read() as session:
        busy, queue = working(session, of_tenant), waiting(session, of_tenant)
        alive = Counter(each.pool for each in living(session))
    state = readiness()
    return render_template(
        "system/working.html" if is_fragment() else "system/workers.html",
        busy=busy,
        queue=queue,
        alive=sorted(alive.items()),
        parts=[
            ("Database", state.database()),
            ("Storage", state.storage()),
            ("Redis", "ok" if state.redis_answers() else "away"),
        ],
    )
