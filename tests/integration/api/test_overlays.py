"""Overlays through HTTP: asked for at submission, served to their tenant as images."""

import dataclasses

from jobs.base.bootstrap import Ground
from jobs.base.storage import overlays_name, segment_name
from jobs.queue.commits import Tally, commit
from jobs.results.segments import write_segment
from jobs.tables import ModelVersion
from models.catalog import SHIPPED
from tests.integration.api.callers import Caller, check_problem, job_body
from tests.integration.jobs.builders import claim_one, rows_of, second_version

PICTURE = b"\xff\xd8\xff pretended"


def test_an_overlay_is_served_as_an_image_that_only_its_tenant_may_keep(
    ground: Ground, caller: Caller, stranger: Caller
) -> None:
    job = caller.submit(2, overlays=True)
    assert job["overlays"] is True
    path = f"/v1/jobs/{job['id']}/results/1/overlay"
    check_problem(caller.get(path), 409, "conflict")
    lease = claim_one(ground)
    name = segment_name(lease.job_id, lease.first, lease.fence)
    first, second = rows_of(lease)
    ground.storage.put(overlays_name(name), [b"before", PICTURE, b"after"])
    write_segment(
        ground.storage, name, [first, dataclasses.replace(second, overlay=(6, len(PICTURE)))]
    )
    commit(ground.database, lease, name, Tally(succeeded=2), 0.1)
    answer = caller.get(path)
    assert (answer.status_code, answer.content_type) == (200, "image/jpeg")
    assert answer.data == PICTURE
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"].startswith("private")
    for other in ("0", "2", "-1", "1e3", "9" * 30):
        check_problem(caller.get(path.replace("/1/", f"/{other}/")), 404, "not_found")
    check_problem(stranger.get(path), 404)
    assert caller.get(path.replace("/jobs/", "/batches/")).data == PICTURE
    rows = caller.get(f"/v1/jobs/{job['id']}/results").json["data"]
    assert "overlay" not in rows[1], "where it lies is nobody's business"


def test_what_cannot_be_drawn_is_refused_at_submission(
    ground: Ground, caller: Caller, digits_model: ModelVersion
) -> None:
    version = second_version(ground, digits_model, task="embedding")
    model = f"{version.name}@{version.version}"
    answer = caller.post("/v1/jobs", json=job_body(model=model, overlays=True))
    assert check_problem(answer, 422)["error"]["param"] == "overlays"
    assert caller.post("/v1/jobs", json=job_body(model=model)).status_code == 202


def test_results_of_videos_can_be_had_drawn(
    ground: Ground, caller: Caller, digits_model: ModelVersion
) -> None:
    motion = SHIPPED["motion"]
    version = second_version(ground, digits_model, **dataclasses.asdict(motion))
    model = f"{version.name}@{version.version}"
    answer = caller.post("/v1/jobs", json=job_body(model=model, overlays=True))
    assert (answer.status_code, answer.json["overlays"]) == (202, True)
