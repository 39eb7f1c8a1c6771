"""Whatever a model file is, it costs its sender a refusal, and the worker nothing."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.onnx_models.examination.facts import Facts, Port
from models.records.errors import WeightsError
from tests.integration.workers.walls.hostile_models import CONTAINED, GOOD, TABLE
from tests.model_files.models_by_hand import OPEN, classifier, file, node, port, proto, whole
from workers.walls.networks import NetworkExaminer
from workers.walls.processes import ProcessDied

MEMORY, SECONDS = 2**30, 4.0
FAKE = "tests.integration.workers.walls.hostile_networks"


@pytest.fixture(scope="module")
def examiner() -> Iterator[NetworkExaminer]:
    opened = NetworkExaminer(MEMORY, SECONDS)
    yield opened
    opened.close()


def children() -> set[int]:
    lists = Path("/proc/self/task").glob("*/children")
    return {int(each) for one in lists for each in one.read_text().split()}


def held() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def refusal(examiner: NetworkExaminer, data: bytes) -> str:
    with pytest.raises(WeightsError) as caught:
        examiner.examine(data)
    return str(caught.value)


@pytest.mark.parametrize("name", TABLE)
def test_a_hostile_file_is_refused_in_one_line_that_says_why(
    examiner: NetworkExaminer, name: str
) -> None:
    make, words = TABLE[name]
    data, before, began = make(), children(), time.monotonic()
    memory = held()
    message = refusal(examiner, data)
    assert re.search(words, message), message
    assert "\n" not in message
    assert message.endswith(".")
    assert len(message) < 700
    assert time.monotonic() - began < 60
    assert held() - memory < 2**26
    assert children() == before
    if name in CONTAINED:
        assert examiner.examine(GOOD).operators == 4


def test_a_network_of_open_sizes_is_examined(examiner: NetworkExaminer) -> None:
    model = classifier()
    model.producer_name, model.producer_version = "pytorch", "2.9"
    model.metadata_props.add(key="imgsz", value="[96, 64]")
    model.metadata_props.add(key="names", value="{0: 'Zoë\n'}")
    assert examiner.examine(model.SerializeToString()) == Facts(
        inputs=(Port("x", "tensor(float)", (None, 3, None, None)),),
        outputs=(Port("y", "tensor(float)", (None, 5)),),
        blank=(1, 3, 96, 64),
        given=((1, 5),),
        metadata={"imgsz": "[96, 64]", "names": "{0: 'Zoë\n'}"},
        producer="pytorch 2.9",
        opset=17,
        operators=4,
    )


@pytest.mark.parametrize(
    ("shape", "blank"),
    [
        ([4, 3, 32, 48], (4, 3, 32, 48)),
        (["n", 3, "h", "w"], (1, 3, 224, 224)),
        (["n", 3, 64, "w"], (1, 3, 64, 224)),
        (["n", "c", "h", "w"], (1, 3, 224, 224)),
    ],
)
def test_a_blank_has_the_sizes_that_the_file_says(
    examiner: NetworkExaminer, shape: list[object], blank: tuple[int, ...]
) -> None:
    assert examiner.examine(classifier(shape).SerializeToString()).blank == blank


def test_a_blank_of_another_side_is_tried_where_one_does_not_run(examiner: NetworkExaminer) -> None:
    # Nothing but 640 x 640 becomes rows of this length.
    rows = node("Reshape", "x s", "y")
    data = file([rows], [whole("s", 1, 3, 640 * 640)])
    facts = examiner.examine(data)
    assert facts.blank == (1, 3, 640, 640)
    assert facts.given == ((1, 3, 640 * 640),)


def test_a_side_that_is_not_sane_is_not_taken_from_the_metadata(examiner: NetworkExaminer) -> None:
    model = classifier()
    model.metadata_props.add(key="imgsz", value="[99999, 99999]")
    assert examiner.examine(model.SerializeToString()).blank == (1, 3, 224, 224)


def test_channels_at_the_end_are_found(examiner: NetworkExaminer) -> None:
    data = file([node("Relu", "x", "y")], inputs=[port("x", ["n", "h", "w", 3])])
    assert examiner.examine(data).blank == (1, 224, 224, 3)


def test_a_file_of_several_inputs_is_described_and_not_run(examiner: NetworkExaminer) -> None:
    data = file([node("Add", "x z", "y")], inputs=[port("x", OPEN), port("z", OPEN)])
    facts = examiner.examine(data)
    assert [each.name for each in facts.inputs] == ["x", "z"]
    assert (facts.blank, facts.given) == ((), ())


def test_a_file_with_a_megabyte_of_names_is_told_whole(examiner: NetworkExaminer) -> None:
    model, names = proto([node("Relu", "x", "y")]), '\\\n"é\x01' * 100_000
    model.metadata_props.add(key="names", value=names)
    assert examiner.examine(model.SerializeToString()).metadata == {"names": names}


def test_a_file_of_a_hundred_megabytes_is_examined_within_its_memory() -> None:
    data = classifier([1, 3, 32, 32], channels=1024, layers=4).SerializeToString()
    assert len(data) > 100_000_000
    examiner = NetworkExaminer(memory=2**28)
    assert examiner.examine(data).given == ((1, 5),)
    examiner.close()


@pytest.mark.parametrize(
    ("trick", "words"),
    [
        ("crash", "makes the process that examines it end"),
        ("sleep", "takes longer"),
        ("burst", "too much memory"),
        ("lie", "makes the process that examines it end"),
        ("flood", "makes the process that examines it end"),
        ("read_environment", r"Error: \[Errno"),
        ("connect", r"Error: \[Errno"),
        ("write_file", r"Error: \[Errno"),
        ("fork", r"Error: \[Errno"),
        ("run", r"Error: \[Errno"),
        ("kill_parent", r"Error: \[Errno"),
        ("write_to_the_file", r"Error: \[Errno"),
    ],
)
def test_a_file_that_takes_its_process_over_reaches_nothing(trick: str, words: str) -> None:
    examiner = NetworkExaminer(2**28, 0.5, FAKE)
    before = children()
    message = refusal(examiner, b"trick:" + trick.encode())
    assert re.search(words, message), message
    assert examiner.examine(b"good").producer == "good"
    assert children() == before
    examiner.close()


def test_nobody_pays_who_brings_no_file_of_onnx() -> None:
    before = children()
    NetworkExaminer().close()
    assert children() == before


def test_an_examiner_that_is_closed_takes_no_more() -> None:
    examiner = NetworkExaminer()
    examiner.close()
    with pytest.raises(ProcessDied):
        examiner.examine(GOOD)


def test_that_no_process_is_to_be_had_is_not_the_files_fault() -> None:
    examiner = NetworkExaminer(module="tests.integration.workers.walls.missing")
    with pytest.raises(ProcessDied):
        examiner.examine(GOOD)
