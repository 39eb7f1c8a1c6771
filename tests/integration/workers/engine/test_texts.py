"""Texts that jobs ask with: read once for a set of them, where batches run, before the pictures."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch

from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from models.records.errors import ParamsError
from models.tasks.task import Sample, Text
from models.tasks.text_rows import TextRows
from tests.integration.jobs.builders import claim_one
from tests.integration.jobs.checks import check_job
from tests.integration.workers.engine.test_batches import run_together
from tests.integration.workers.fakes import (
    FakeNetwork,
    answers_of,
    manifest_of,
    rows_of_job,
    run_with,
    submit_numbers,
)
from workers.engine.shard import ShardRun
from workers.engine.stages import Stages
from workers.engine.texts import TextReader, TextsNotRead

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NewStages = Callable[..., Stages]
THOUSAND = [str(number) for number in range(1000, 2000)]


class Reader(FakeNetwork):
    """Reads numbers as texts; answers a picture with the sum of its job's, and its own."""

    def __init__(
        self, max_batch: int = 64, on_text: Callable[[list[int]], object] = id, **more: Any
    ) -> None:
        super().__init__(max_batch, **more)
        self.text_rows, self._on_text = TextRows(), on_text
        self.text_batches: list[int] = []

    def texts(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(params.get("labels", ()))

    def prepare_texts(self, texts: Sequence[str]) -> list[Text]:
        if "long" in texts:
            raise ParamsError("The text 'long' is too long.", param="labels")
        return [Text((int(each),)) for each in texts]

    def forward(self, samples: Any) -> Any:
        if isinstance(samples[0], Text):
            self.text_batches.append(len(samples))
            self._on_text([each.tokens[0] for each in samples])
            return torch.tensor([each.tokens for each in samples])
        super().forward(samples)
        return [self._with_texts(each) for each in samples]

    def _with_texts(self, sample: Sample) -> torch.Tensor:
        assert sample.texts is not None
        return sample.pixels + sample.texts.sum()


def submit(ground: Ground, tenant: NewKey, model: ModelVersion, *labels: str) -> Job:
    return submit_numbers(ground, tenant, model, 10, params={"labels": list(labels)})


def sums(*labels: str) -> list[str]:
    return [str(number + sum(map(int, labels))) for number in range(10)]


def test_texts_are_read_once_for_a_set_and_its_version(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    network, stages = Reader(), new_stages()
    asked = [("100", "200"), ("100", "200"), ("200", "100"), ("300",)]
    for labels in asked:
        job = submit(ground, tenant, digits_model, *labels)
        assert run_with(stages, claim_one(ground), network)
        assert answers_of(ground, job) == sums(*labels)
    assert network.text_batches == [2, 2, 1]


def test_a_thousand_texts_go_in_small_batches(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    network = Reader(max_batch=5)
    job = submit(ground, tenant, digits_model, *THOUSAND)
    assert run_with(new_stages(), claim_one(ground), network)
    assert set(network.text_batches) == {5}
    assert answers_of(ground, job) == sums(*THOUSAND)


def test_jobs_with_other_labels_share_a_batch(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    # No picture is prepared before both jobs' are: so both have been announced.
    barrier = threading.Barrier(2)
    network = Reader(on_prepare=lambda data: barrier.wait(30) if data == b"0" else None)
    for label in ("100", "200"):
        network.text_rows.keep((label,), torch.tensor([[int(label)]]))
    jobs = [submit(ground, tenant, digits_model, label) for label in ("100", "200")]
    run_together(new_stages(wait_s=20), [(claim_one(ground), network) for _ in jobs])
    assert network.batches == [20]
    assert [answers_of(ground, job) for job in jobs] == [sums("100"), sums("200")]


def test_two_shards_at_once_read_a_set_once(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    network = Reader()
    jobs = [submit(ground, tenant, digits_model, *THOUSAND) for _ in range(2)]
    run_together(new_stages(), [(claim_one(ground), network) for _ in jobs])
    assert sum(network.text_batches) == 1000
    assert [answers_of(ground, job) for job in jobs] == [sums(*THOUSAND)] * 2


def test_a_text_that_is_too_long_is_told_at_every_item(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    network = Reader()
    job = submit(ground, tenant, digits_model, "100", "long")
    assert run_with(new_stages(), claim_one(ground), network)
    assert answers_of(ground, job) == ["invalid_params"] * 10
    assert rows_of_job(ground, job)[0].error.message == "The text 'long' is too long."
    assert (network.batches, check_job(ground, job.id).failed) == ([], 10)


def test_a_tokenizer_that_takes_too_long_is_given_up(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    submit(ground, tenant, digits_model, *THOUSAND)
    stages, network = new_stages(), Reader()
    hold = ShardRun(stages, claim_one(ground))
    with pytest.raises(TextsNotRead) as caught:
        TextReader(stages.batcher, hold, [], cutting_s=0.0).read(network)
    assert caught.value.error.code == "model_unusable"
    assert network.text_batches == []


def test_texts_that_do_not_fit_the_memory_go_in_halves_and_error_the_items_if_one_does_not(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    def small(texts: list[int]) -> None:
        if len(texts) > 4 or 7 in texts:
            raise torch.OutOfMemoryError("CUDA out of memory")

    stages, network = new_stages(), Reader(on_text=small)
    good = submit(ground, tenant, digits_model, *THOUSAND[:30])
    assert run_with(stages, claim_one(ground), network)
    assert answers_of(ground, good) == sums(*THOUSAND[:30])
    bad = submit(ground, tenant, digits_model, "7")
    assert run_with(stages, claim_one(ground), network)
    assert answers_of(ground, bad) == ["out_of_memory"] * 10
    # What failed is not kept: the next job's turn comes.
    again = submit(ground, tenant, digits_model, "8")
    assert run_with(stages, claim_one(ground), network)
    assert answers_of(ground, again) == sums("8")


def test_a_job_that_is_cancelled_while_its_texts_are_read_runs_no_picture(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    runs: list[ShardRun] = []
    network = Reader(on_text=lambda _: runs[0].stop(ItemStatus.CANCELLED))
    job = submit(ground, tenant, digits_model, *THOUSAND)
    lease = claim_one(ground)
    runs.append(ShardRun(new_stages(), lease))
    assert runs[0].run(network, manifest_of(ground, lease))
    assert len(network.text_batches) == 1
    assert network.batches == []
    assert {row.status for row in rows_of_job(ground, job)} == {ItemStatus.CANCELLED}


def test_device_time_of_texts_is_the_jobs(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    waited = threading.Event()
    network = Reader(on_text=lambda _: waited.wait(0.2))
    job = submit(ground, tenant, digits_model, "100")
    assert run_with(new_stages(), claim_one(ground), network)
    assert check_job(ground, job.id).device_s >= 0.2
