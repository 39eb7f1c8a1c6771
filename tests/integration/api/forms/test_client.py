"""The client against a running API: every form over HTTP, and frames of what pages say."""

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pycocotools.coco import COCO

from api.results.forms.table import FORMS
from jobs.base.bootstrap import Ground
from jobs.tenants.keys import NewKey
from pixelmill import Client, InvalidRequest
from pixelmill.client.results.forms import FORMS as CLIENTS
from tests.integration.api.forms.answered import BROKEN, Answer, box, run_job
from tests.integration.api.fronts import Front


@pytest.fixture
def client(front: Front) -> Any:
    with Client(front.url, front.key) as made:
        yield made


def test_client_and_server_have_the_same_forms_and_suffixes() -> None:
    assert list(CLIENTS) == list(FORMS)
    assert all(FORMS[name].suffix in form.suffixes for name, form in CLIENTS.items())


def test_every_form_is_saved_as_the_server_writes_it(
    ground: Ground, tenant: NewKey, client: Client, front: Front, tmp_path: Path
) -> None:
    found = [box("dog", 1, 1, 2, 3, 4)]
    answers = [Answer(f"{n}, ä.jpg", BROKEN if n % 4 == 1 else found) for n in range(70)]
    job = client.job(run_job(ground, tenant, "detection", answers))
    for name, form in CLIENTS.items():
        path = job.results().save(tmp_path / f"r{form.suffixes[0]}")
        with front.client() as caller:
            answer = caller.get(f"/v1/jobs/{job.id}/results?format={name}")
        assert path.read_bytes() == answer.content
        assert answer.headers["pixelmill-rows"] == "70"

    rows = [result.raw for result in job.results()]
    table = job.results().to_arrow()
    assert table.to_pylist() == rows
    assert job.results().to_polars().to_dicts() == rows
    frame = job.results().to_pandas()
    assert frame["custom_id"].tolist() == [row["custom_id"] for row in rows]
    assert frame[frame["status"] == "succeeded"]["predictions"].iloc[0][0]["box"]["x"] == 1.0
    failed = client.results(job, status="errored").to_pandas()
    assert failed["error"].struct.field("code").unique().tolist() == ["image_decode_failed"]
    csv = pd.read_csv(tmp_path / "r.csv")
    assert csv["status"].tolist() == frame["status"].tolist()

    coco = COCO()
    coco.dataset = job.results().to_coco()
    coco.createIndex()
    assert len(coco.getImgIds()) == len(coco.getAnnIds()) == 70 - 18


def test_a_remote_client_gets_it_compressed_and_reads_the_same(
    ground: Ground, tenant: NewKey, front: Front
) -> None:
    job = run_job(ground, tenant, "detection", [Answer(f"{n}.jpg", BROKEN) for n in range(70)])
    with front.client() as caller:
        path = f"/v1/jobs/{job}/results?format=ndjson"
        packed = caller.get(path, headers={"Accept-Encoding": "gzip"})
        plain = caller.get(path, headers={"Accept-Encoding": "identity"})
        parquet = caller.get(f"/v1/jobs/{job}/results?format=parquet")
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
    assert len(pq.read_table(io.BytesIO(parquet.content))) == 70


def test_a_form_that_the_job_has_not_leaves_no_file(
    ground: Ground, tenant: NewKey, client: Client, tmp_path: Path
) -> None:
    job = run_job(ground, tenant, "embedding", [Answer("a.jpg", BROKEN)])
    with pytest.raises(InvalidRequest, match="This job has json, ndjson, csv, parquet"):
        client.results(job).save(tmp_path / "a.coco.json")
    assert list(tmp_path.glob("a*")) == []
