"""Data sets of handwritten digits, stored as a caller's upload, and trainings on them."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from jobs.base.bootstrap import Ground
from jobs.inputs.files import store_file
from jobs.intake.preparation import prepare_next
from jobs.intake.trainings import TrainingSubmission, read_row, submit_training
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from models.pictures.data import encode, train_digits
from models.training.recipes import read_recipe
from tests.integration.jobs.checks import read_job
from tests.integration.workers.conftest import with_
from workers.errands.datasets import check_dataset

RECIPE = {"epochs": 3, "batch": 8, "learning_rate": 3e-3}


def digit_files(digits: tuple[int, ...] = (0, 1, 7), each: int = 20) -> dict[str, bytes]:
    """Give PNG files by their names in the data set, a folder a digit."""
    images, labels = train_digits()
    return {
        f"set/{digit}/{number:03d}.png": encode(images[row], ".png")
        for digit in digits
        for number, row in enumerate(np.flatnonzero(labels == digit)[:each])
    }


def zip_of(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def submit_digits(
    ground: Ground,
    tenant: NewKey,
    files: Mapping[str, bytes] | None = None,
    *,
    name: str = "mine",
    content: bytes | None = None,
    recipe: Mapping[str, Any] = RECIPE,
    **more: Any,
) -> Job:
    """Submit a training and have it prepared; gives its job as it then stands."""
    content = zip_of(digit_files() if files is None else files) if content is None else content
    file = store_file(ground, tenant.tenant_id, "set.zip", "batch", [content])
    submission = TrainingSubmission(
        tenant_id=tenant.tenant_id,
        name=f"{tenant.tenant_id}/{name}",
        input_file_id=file.id,
        recipe=read_recipe(recipe).model_dump(mode="json"),
        requested={"model": f"my/{name}", "params": dict(recipe)},
        pool="cpu",
        **more,
    )
    job, _ = submit_training(ground, submission)
    assert prepare_next(ground, check_dataset) == job.id
    return read_job(ground, job.id)


def version_of(ground: Ground, job: Job) -> ModelVersion:
    number = read_row(ground.database, job.id).model_version
    assert number is not None
    with ground.database.read() as session:
        return session.get_one(ModelVersion, (job.model_name, number))


def versions_of(ground: Ground, job: Job) -> int:
    with ground.database.read() as session:
        return session.query(ModelVersion).filter_by(name=job.model_name).count()


def blobs_of(ground: Ground, job: Job) -> list[str]:
    return [name for name in ground.storage.list(f"jobs/{job.id}/") if "/training-" in name]


def hurried(ground: Ground) -> Ground:
    """The same ground, with turns so short that each takes one step."""
    return with_(ground, training_turn_s=1e-6)
