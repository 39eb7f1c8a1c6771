"""Which model a command is for, where it does not say: those that fit are named, none is taken."""

from pathlib import Path

import pytest

from pixelmill import Client, InvalidInput
from pixelmill.cli.choosing import chosen_model


def model(name: str, kind: str) -> dict[str, object]:
    return {"id": f"{name}@1", "name": name, "task": "classification", "input_kind": kind}


@pytest.fixture
def client(server, say):
    server.on("GET", "/v1/models", say.page([model("digits", "image"), model("motion", "video")]))
    with Client(server.url, "pm_live_test_secret") as made:
        yield made


def test_a_model_that_was_given_is_taken_without_a_look(client, server) -> None:
    assert chosen_model(client, "digits", ["a.png"]) == "digits"
    assert server.seen == []


@pytest.mark.parametrize(
    ("path", "named", "unnamed"),
    [("a.png", "digits", "motion"), ("a.MP4", "motion", "digits"), ("films", "motion", "digits")],
)
def test_those_that_fit_are_named(
    client, tmp_path: Path, capsys, path: str, named: str, unnamed: str
) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "one.mov").write_bytes(b"")
    with pytest.raises(InvalidInput, match="--model"):
        chosen_model(client, None, [str(tmp_path / path)])
    said = capsys.readouterr().err
    assert named in said
    assert unnamed not in said


def test_none_that_fits_is_said(server, say) -> None:
    server.on("GET", "/v1/models", say.page([model("motion", "video")]))
    with (
        Client(server.url, "pm_live_test_secret") as client,
        pytest.raises(InvalidInput, match="none here takes images"),
    ):
        chosen_model(client, None, ["a.png"])
