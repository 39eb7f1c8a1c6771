"""What is true of an evaluation's items is read before they run, and refused where it is wrong."""

import io
import json
import re
import tarfile

import pytest

from jobs.aftercare.evaluation import get_evaluation
from jobs.aftercare.uploaded_files import delete_file
from jobs.base.bootstrap import Ground
from jobs.base.states import JobKind, JobStatus
from jobs.inputs.files import store_file
from jobs.inputs.manifests import Manifest
from jobs.inputs.truths import TruthLines, TruthWriter, read_truths, writing_truths
from jobs.intake.evaluations import submit_evaluation
from jobs.intake.preparation import prepare_next
from jobs.intake.submission import Submission
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import second_version
from tests.integration.jobs.checks import read_job
from tests.integration.jobs.labelled import archive, evaluate, lines
from workers.errands.labelling import label_items


def truths_of(ground: Ground, job: Job) -> dict[str, str]:
    """Give what is kept as true of each item."""
    with ground.database.read() as session:
        truth = get_evaluation(session, job).truth
    assert truth is not None
    names = [
        item.custom_id for item in Manifest(ground.storage, job.manifest or "").items(0, job.total)
    ]
    return dict(zip(names, map(json.loads, read_truths(ground.storage, truth)), strict=True))


def faults_of(job: Job) -> list[str]:
    assert job.status is JobStatus.FAILED, "nothing of it may run"
    assert job.total == 0
    return [fault["message"] for fault in job.errors or []]


def test_the_folder_that_holds_an_item_names_its_class(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = evaluate(ground, tenant, digits_model, archive(["set/7/a.png", "3/b.png", "set/7/c.png"]))
    assert (job.status, job.total) == (JobStatus.IN_PROGRESS, 3)
    assert truths_of(ground, job) == {
        "set/7/a.png": {"class": "7"}, "3/b.png": {"class": "3"}, "set/7/c.png": {"class": "7"},
    }  # fmt: skip


def test_a_folder_that_is_no_class_fails_the_job_with_the_nearest_label(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    cats = second_version(ground, digits_model, labels=["cat", "dog"])
    job = evaluate(ground, tenant, cats, archive(["cat/a.png", "catt/b.png"]))
    (fault,) = faults_of(job)
    assert fault == (
        "'catt/b.png' cannot be evaluated on digits@2: 'catt' is no class of the model; "
        "did you mean 'cat'?"
    )
    assert list(ground.storage.list(f"jobs/{job.id}/")) == []


def test_a_file_in_no_folder_is_skipped_and_told(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = evaluate(ground, tenant, digits_model, archive(["a.png", "7/b.png"]))
    assert truths_of(ground, job) == {"7/b.png": {"class": "7"}}
    assert job.skipped is not None
    assert job.skipped["names"] == [{"name": "a.png", "reason": "no_class"}]
    (fault,) = faults_of(evaluate(ground, tenant, digits_model, archive(["a.png"])))
    assert "no items" in fault


def test_a_webdataset_says_its_classes_by_number_or_name(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, content in {
            "0.jpg": b"picture", "0.cls": b"3", "1.jpg": b"picture", "1.cls": b"7 ",
        }.items():  # fmt: skip
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    cats = second_version(ground, digits_model, labels=[f"class-{each}" for each in range(10)])
    job = evaluate(ground, tenant, cats, buffer.getvalue())
    assert truths_of(ground, job) == {"0.jpg": {"class": "class-3"}, "1.jpg": {"class": "class-7"}}


def test_a_file_of_truths_may_be_in_any_order(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    said = lines({"custom_id": "b.png", "class": "3"}, {"custom_id": "a.png", "class": "7"})
    job = evaluate(ground, tenant, digits_model, archive(["a.png", "b.png"]), b"\n" + said)
    assert truths_of(ground, job) == {"a.png": {"class": "7"}, "b.png": {"class": "3"}}


def test_items_that_share_a_name_share_its_truth(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    said = lines({"custom_id": "a.png", "class": "7"})
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = archive(["a.png", "a.png"])
    job = evaluate(ground, tenant, digits_model, content, said)
    assert [truth["class"] for truth in truths_of(ground, job).values()] == ["7", "7"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (lines({"custom_id": "a.png", "class": "7"}), "'b.png': give the truth a line for every"),
        (lines(*({"custom_id": f"{name}.png", "class": "7"} for name in "abc")),
         "Line 3 of the truth is about 'c.png', which is no item"),
        (lines(*({"custom_id": f"{name}.png", "class": "7"} for name in "aab")),
         "Line 2 .* repeats"),
        (lines({"custom_id": "a.png", "class": "77"}), "Line 1 of the truth: '77' is no class"),
        (lines({"class": "7"}), "Line 1 of the truth has no `custom_id`"),
        (b"[]\n", "Line 1 of the truth is no JSON object"),
        (b'\n{"custom_id": "a.png"\n', "Line 2 of the truth is not valid JSON"),
    ],
)  # fmt: skip
def test_a_file_of_truths_that_is_wrong_fails_the_job_before_it_runs(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, said: bytes, words: str
) -> None:
    job = evaluate(ground, tenant, digits_model, archive(["a.png", "b.png"]), said)
    (fault,) = faults_of(job)
    assert re.search(words, fault), fault
    assert list(ground.storage.list(f"jobs/{job.id}/")) == []


def test_a_truth_that_was_deleted_first_is_told_as_such(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    files = [
        store_file(ground, tenant.tenant_id, name, "batch", [content]).id
        for name, content in (("set.zip", archive(["a.png"])), ("truth.jsonl", b"{}\n"))
    ]
    submission = Submission(
        tenant_id=tenant.tenant_id,
        model=digits_model,
        params={},
        requested={"model": "digits", "params": {}},
        pool="cpu",
        kind=JobKind.EVALUATION,
        input_file_id=files[0],
    )
    job, _ = submit_evaluation(ground, submission, files[1])
    delete_file(ground, tenant.tenant_id, files[1])
    prepare_next(ground, label_items=label_items)
    assert read_job(ground, job.id).status_reason == (
        f"The truth, file {files[1]}, was deleted before it could be read."
    )


def test_truths_are_written_and_read_in_bounded_pieces(ground: Ground) -> None:
    said = [
        json.dumps({"class": "x" * (200_000 if each % 700 == 0 else 3)}) for each in range(2500)
    ]
    with writing_truths(ground.storage, "jobs/j/truth-1.parquet") as writer:
        assert isinstance(writer, TruthWriter)
        for each in said:
            writer.write(each)
    assert list(read_truths(ground.storage, "jobs/j/truth-1.parquet")) == said


def test_a_line_is_taken_from_its_place_whatever_came_before() -> None:
    rows = [{"custom_id": f"é{number}", "class": "x" * number} for number in range(50)]
    text = b"\xef\xbb\xbf" + b"\r\n".join(
        json.dumps(each, ensure_ascii=False).encode() for each in rows
    )
    found = TruthLines(io.BytesIO(text), 50)
    for number in (49, 0, 17, 17, 3):
        assert found.take(f"é{number}") == (rows[number], number + 1)
