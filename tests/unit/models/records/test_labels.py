"""Names of classes that a caller gives: each once, and none where nothing is told apart."""

import pytest

from models.records.errors import RecordError
from models.records.labels import check_labels, check_no_labels


def test_names_that_repeat_are_named_with_their_places() -> None:
    with pytest.raises(RecordError, match=r"'robin' \(1, 2\).*a name of its own") as caught:
        check_labels(["wren", "robin", "robin", "owl"], {})
    assert caught.value.param == "labels"


def test_of_many_that_repeat_some_are_named() -> None:
    with pytest.raises(RecordError, match="and 3 names more"):
        check_labels([str(number) for number in range(8)] * 2, {})


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        (["a", "b"], {}),
        (["a", "N/A", "N/A"], {}),
        (["crane", "crane"], {"config": {"id2label": {"0": "crane", "1": "crane"}}}),
    ],
)
def test_other_names_are_taken(labels: list[str], options: dict[str, object]) -> None:
    check_labels(labels, options)


def test_vectors_have_no_classes() -> None:
    with pytest.raises(RecordError, match=r"leave `labels` \(--labels\) out, or name them"):
        check_no_labels(["cat"], "'clip'", "name them with each job")
    check_no_labels(["embedding"], "'clip'")
    check_no_labels(None, "'clip'")
