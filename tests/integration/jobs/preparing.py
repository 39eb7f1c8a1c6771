"""Jobs that are prepared, by workers that die, are late, or read what kills."""

import dataclasses
import io
import json
import zipfile
from typing import Any, BinaryIO

from sqlalchemy import update

from jobs.base.bootstrap import Ground
from jobs.base.settings import load_settings
from jobs.base.storage import Storage
from jobs.inputs.files import store_file
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import submit_items


def with_storage(ground: Ground, storage: Storage, **settings: Any) -> Ground:
    """Give the same ground with another storage, and settings of its own."""
    kept = ground.settings.model_dump()
    return dataclasses.replace(
        ground, storage=storage, settings=load_settings(**{**kept, **settings})
    )


def submit_file(
    ground: Ground, tenant: NewKey, model: ModelVersion, content: bytes, **more: Any
) -> Job:
    file = store_file(ground, tenant.tenant_id, "photos", "batch", [content])
    return submit_items(ground, tenant, model, requests=None, input_file_id=file.id, **more)


def zipped(count: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number:04}.png", b"image")
    return buffer.getvalue()


def lines(count: int) -> bytes:
    given = ({"custom_id": f"c{n}", "input": {"url": f"http://x/{n}"}} for n in range(count))
    return "\n".join(map(json.dumps, given)).encode()


def let_the_turn_run_out(ground: Ground, job: Job) -> None:
    with ground.database.write() as session:
        session.execute(update(Job).where(Job.id == job.id).values(prepare_until=1.0))


def blobs_of(ground: Ground, job: Job) -> list[str]:
    return sorted(
        name.split("/")[2].split("-")[0] for name in ground.storage.list(f"jobs/{job.id}")
    )


class Stopped(Storage):
    """Dies like a process in the middle of the writing: nothing of ours is cleaned up."""

    def put(self, name: str, chunks: Any) -> None:
        super().put(name, chunks)

    def open(self, name: str) -> BinaryIO:
        if name.startswith("inputs/"):
            raise KeyboardInterrupt
        return super().open(name)
