"""Jobs of any task with answers of the test's choice."""

from dataclasses import dataclass
from typing import Any

from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus
from jobs.base.storage import segment_name
from jobs.inputs.requests import Request
from jobs.intake.submission import Submission, submit
from jobs.queue.commits import Tally, commit
from jobs.queue.scheduling import claim
from jobs.queue.turns import Line
from jobs.results.segments import ItemError, ItemWarning, Row, to_json, write_segment
from jobs.tenants.keys import NewKey
from jobs.versions.registry import register
from models.answers.rle import encode
from tests.integration.api.callers import Caller

BROKEN = ItemError("image_decode_failed", "Cut short, at byte 7.", False)


@dataclass(frozen=True)
class Answer:
    """What becomes of an item: its predictions or its error."""

    custom_id: str
    predictions: list[dict[str, Any]] | ItemError
    size: tuple[int, int] | None = (640, 480)
    warnings: tuple[ItemWarning, ...] = ()
    fps: float | None = None


def box(name: str, number: int, left: float, top: float, width: float, height: float) -> Any:
    place = {"x": left, "y": top, "width": width, "height": height}
    return {"class": name, "class_id": number, "confidence": 0.75, "box": place}


def mask(name: str, number: int, bits: Any, **more: Any) -> Any:
    found = {"class": name, "class_id": number, "confidence": 0.5, "area": int(bits.sum())}
    return {**found, "mask": encode(bits), "box": None, **more}


def run_job(
    ground: Ground,
    tenant: NewKey,
    task: str,
    answers: list[Answer],
    *,
    labels: tuple[str, ...] = ("cat", "dog"),
    params: dict[str, Any] | None = None,
    leave: int = 0,
) -> str:
    """Submit a job and give its items their answers, but for the last `leave` of them."""
    record = {
        "name": task,
        "task": task,
        "architecture": "digits",
        "input_kind": "video" if task.startswith("video") else "image",
        "labels": list(labels),
        "preprocess": {},
        "max_batch": 4,
        "shard_items": max(1, len(answers) - leave),
        "limits": {},
        "metrics": {},
        "description": "",
    }
    model = register(
        ground.database, ground.storage, task, record, b"weights", "sha256:" + "0" * 64
    )
    requests = tuple(Request(each.custom_id, data=b"0123456789") for each in answers)
    submission = Submission(
        tenant_id=tenant.tenant_id,
        model=model,
        requested={"model": task, "params": params or {}},
        params=params or {},
        pool="cpu",
        requests=requests,
    )
    job, _ = submit(ground, submission)
    done = 0
    while done < len(answers) - leave:
        lease = claim(ground.database, Line("cpu"), "node-1", 30)
        assert lease is not None
        places = range(lease.first, lease.first + lease.count)
        rows = [_row(place, answers[place]) for place in places]
        name = segment_name(job.id, lease.first, lease.fence)
        write_segment(ground.storage, name, rows)
        failed = sum(row.error is not None for row in rows)
        tally = Tally(succeeded=len(rows) - failed, errored=failed)
        assert commit(ground.database, lease, name, tally, 0.1)
        done += lease.count
    return job.id


def _row(index: int, answer: Answer) -> Row:
    failed = isinstance(answer.predictions, ItemError)
    width, height = (None, None) if failed or answer.size is None else answer.size
    return Row(
        index,
        answer.custom_id,
        ItemStatus.ERRORED if failed else ItemStatus.SUCCEEDED,
        "ab" * 32,
        1,
        None if failed else to_json(answer.predictions),
        answer.predictions if failed else None,
        warnings=answer.warnings,
        width=width,
        height=height,
        fps=answer.fps,
        duration_ms=None if answer.fps is None else 2000,
    )


def read(caller: Caller, job: str, form: str, **query: Any) -> bytes:
    """Give a job's results in a form, whole."""
    answer = caller.get(f"/v1/jobs/{job}/results", query_string={"format": form, **query})
    assert answer.status_code == 200, answer.text
    return answer.data
