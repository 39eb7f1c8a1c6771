"""Evaluations of labelled items, stored and prepared as the API and an io worker do."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from jobs.base.bootstrap import Ground
from jobs.base.states import JobKind
from jobs.inputs.files import store_file
from jobs.intake.evaluations import submit_evaluation
from jobs.intake.preparation import prepare_next
from jobs.intake.submission import Submission
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.checks import read_job
from workers.errands.labelling import label_items


def archive(names: Sequence[str], more: Mapping[str, bytes] | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name in names:
            made.writestr(name, b"picture")
        for name, content in (more or {}).items():
            made.writestr(name, content)
    return buffer.getvalue()


def lines(*truths: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in truths)


def evaluate(
    ground: Ground,
    tenant: NewKey,
    model: ModelVersion,
    content: bytes,
    truth: bytes | None = None,
    **more: Any,
) -> Job:
    """Submit an evaluation and have it prepared; gives its job as it then stands."""

    def file_of(data: bytes, name: str) -> str:
        return store_file(ground, tenant.tenant_id, name, "batch", [data]).id

    submission = Submission(
        tenant_id=tenant.tenant_id,
        model=model,
        params={},
        requested={"model": model.name, "params": {}},
        pool="cpu",
        kind=JobKind.EVALUATION,
        input_file_id=file_of(content, "set.zip"),
        **more,
    )
    truth_file_id = None if truth is None else file_of(truth, "truth.jsonl")
    job, _ = submit_evaluation(ground, submission, truth_file_id)
    assert prepare_next(ground, label_items=label_items) == job.id
    return read_job(ground, job.id)
