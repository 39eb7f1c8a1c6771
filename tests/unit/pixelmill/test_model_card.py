"""`pixelmill models show`: a card a screen long, and what a push says that nobody has checked."""

import json

import pytest
from typer.testing import CliRunner

from pixelmill.cli.commands import app
from pixelmill.cli.models.proof_texts import unproven_text

PROOF = {
    "against": {"timm": "1.0.28"},
    "check": None,
    "samples": 3,
    "holds": True,
    "differences": [{"measure": "confidence", "worst": 2e-06, "limit": 0.001, "compared": 9}],
    "apart": [],
    "reason": None,
}
VIEW = {
    "id": "my/birds@2",
    "name": "my/birds",
    "version": 2,
    "digest": "sha256:00ff",
    "state": "ready",
    "reason": None,
    "author": "key_1",
    "task": "classification",
    "architecture": "timm/convnext_tiny",
    "input_kind": "image",
    "labels": [f"bird {number}" for number in range(9)],
    "preprocess": {"resize": 235, "resize_by": "pillow", "mean": [0.485, 0.456, 0.406]},
    "options": {"num_classes": 9, "config": {"hidden_size": 3}},
    "description": "Birds.\x1b[2J",
    "metrics": {"parameters": 28000000},
    "provenance": {"license": "Apache-2.0", "source": "the garden"},
    "proof": PROOF,
    "evaluations": [
        {"job_id": "job_9", "created_at": 1, "items": 10, "evaluated": 9, "failed": 1,
         "figure": "accuracy", "value": 0.875},
    ],
    "params_schema": {"properties": {"top_k": {"type": "integer"}}},
    "result_schema": {"type": "array"},
    "aliases": {"production": 2},
    "created_at": 1700000000,
}  # fmt: skip
SAID = (
    "my/birds@2 (ready)",
    "9: bird 0, bird 1, bird 2, bird 3, bird 4, bird 5 and 3 more",
    "it answers as timm 1.0.28 on 3 pictures: confidences within 2e-06",
    "Apache-2.0",
    "the garden",
    "sha256:00ff",
    "accuracy 0.875 on 9 of 10 items, job_9",
    "resize 235, resize_by pillow, mean [0.485, 0.456, 0.406]",
    "num_classes 9, config {…}",
    "production 2",
    "top_k",
)


@pytest.fixture
def run(server, say):
    server.on("GET", "/v1/models/my/birds", say.answer(200, VIEW))
    env = {"PIXELMILL_URL": server.url, "PIXELMILL_API_KEY": "pm_live_test_secret"}
    return lambda *args: CliRunner().invoke(app, ["models", *args], env=env)


def test_a_card_fits_a_screen_and_has_no_schemas(run):
    card = run("show", "my/birds").stdout
    for each in SAID:
        assert each in card
    assert len(card.splitlines()) <= 20
    assert "\x1b" not in card
    assert "integer" not in card


def test_schemas_and_the_whole_view_come_where_they_are_asked_for(run):
    assert json.loads(run("show", "my/birds", "--json").stdout) == VIEW
    schemas = json.loads(run("show", "my/birds", "--schema").stdout)
    assert set(schemas) == {"params_schema", "result_schema"}
    record = json.loads(run("show", "my/birds", "--record").stdout)
    assert record["labels"] == VIEW["labels"]
    assert run("--schema").exit_code == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "; --check PICTURES does so"),
        ({"architecture": "onnx"}, "--expected FILE"),
        ({"task": "zero-shot-classification"}, "there is no check for zero-shot-classification"),
        ({"task": "video-classification"}, "there is no check for video-classification"),
        ({"architecture": "own/shades"}, "no library knows own/shades"),
    ],
)
def test_a_check_is_offered_only_where_there_is_one(change, says):
    said = unproven_text({**VIEW, "proof": None, **change})
    assert said.startswith("it was held against nothing")
    assert says in said
    assert ("--check" in said) == (says.startswith(";") or "FILE" in says)
