"""A file of results that broke off on the way is never taken for a whole one, in any form."""

import csv
import io
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixelmill import ConnectionFailed, InvalidInput
from pixelmill.client.results.forms import FORMS

RESULTS = "/v1/jobs/job_1/results"


def a_csv() -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["index", "x"], [0, 'a"b\n"",'], [1, "c\r\nd"], [2, ""]])
    return text.getvalue().encode()


def a_parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"index": [0, 1, 2]}), sink)
    return sink.getvalue()


def a_zip() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("items.jsonl", "PK\x05\x06")
    return sink.getvalue()


FILES = {
    "ndjson": b'{"a":"\\n"}\n{"b":1}\n{"c":2}\n',
    "csv": a_csv(),
    "parquet": a_parquet(),
    "coco": b'{"images":[],"annotations":[{"a":"\\n"}]}\n',
    "yolo": a_zip(),
    "label-studio": b'[{"a":1},{"b":2}]\n',
    "geojson": b'{"features":[{},{}]}\n',
}


@pytest.mark.parametrize("form", FORMS)
def test_no_part_of_a_file_is_taken_for_the_whole(form):
    whole = FILES[form]
    for size in range(len(whole) + 1):
        ending = FORMS[form].ending()
        for place in range(size):
            ending.take(whole[place : place + 1])
        assert (ending.missing(3) is None) == (size == len(whole)), size


@pytest.mark.parametrize("form", FORMS)
def test_what_broke_off_is_an_error_and_leaves_no_file(server, client, say, tmp_path, form):
    path = tmp_path / "out"
    headers = {"Pixelmill-Rows": "3"}
    server.on("GET", RESULTS, say.answer(200, FILES[form][:-1], headers))
    with pytest.raises(ConnectionFailed, match="the connection broke on the way"):
        client.results("job_1").save(path, form)
    assert list(tmp_path.iterdir()) == []
    server.on("GET", RESULTS, say.answer(200, FILES[form], headers))
    assert client.results("job_1").save(path, form).read_bytes() == FILES[form]
    assert server.seen[-1].query == {"format": form}


@pytest.mark.parametrize("form", sorted(FORMS.keys() - {"ndjson", "csv"}))
def test_a_file_shows_its_end_where_a_proxy_drops_the_number_of_rows(
    server, client, say, tmp_path, form
):
    server.on("GET", RESULTS, say.answer(200, FILES[form][:-5]))
    with pytest.raises(ConnectionFailed, match="before its end"):
        client.results("job_1").save(tmp_path / "out", form)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.csv", "csv"), ("a.NDJSON", "ndjson"), ("a.jsonl", "ndjson"), ("a.parquet", "parquet"),
        ("a.coco.json", "coco"), ("a.zip", "yolo"), ("a.label-studio.json", "label-studio"),
        ("a.geojson", "geojson"),
    ],
)  # fmt: skip
def test_the_name_of_a_file_says_its_form(server, client, say, tmp_path, name, form):
    server.on("GET", RESULTS, say.answer(200, FILES[form], {"Pixelmill-Rows": "3"}))
    client.results("job_1", status="errored").save(tmp_path / name)
    assert server.seen[0].query == {"format": form, "status": "errored"}


def test_a_form_that_there_is_not_is_refused_before_anything_is_asked(server, client, tmp_path):
    with pytest.raises(InvalidInput, match=r"did you mean 'parquet'\?"):
        client.results("job_1").save(tmp_path / "a", "parqet")
    with pytest.raises(InvalidInput, match="suffix that no form"):
        client.results("job_1").save(tmp_path / "a.xlsx")
    assert server.seen == []
