"""Trainings by the client and on the command line."""

import io
import json
import tarfile

import pytest
from typer.testing import CliRunner

from pixelmill.cli.commands import app

PATH = "/v1/trainings"
ONE = "/v1/trainings/trn_1"
MODEL = {"name": "my/cats", "version": 3, "digest": "sha256:ab"}


def epoch(number, accuracy=0.9):
    losses = {"training_loss": 0.5, "validation_loss": 0.4, "learning_rate": 0.001}
    return losses | {
        "epoch": number,
        "training_accuracy": 0.8,
        "validation_accuracy": accuracy,
    }


def progress_raw(epochs_done=1):
    return {
        "epoch": epochs_done,
        "epochs": 2,
        "step": 0,
        "steps": 5,
        "best_epoch": epochs_done,
        "history": [epoch(number + 1) for number in range(epochs_done)],
        "labels": ["cats", "dogs"],
        "confusion": [[7, 1], [0, 8]],
        "images": {"training": 20, "validation": 16, "skipped": 0},
        "skipped": [],
    }


@pytest.fixture
def training(say):
    def make(status="in_progress", completed=0, failed=0, **more):
        raw = say.job(status=status, total=1, completed=completed, failed=failed)
        raw.body.update({"id": "trn_1", "name": "my/cats", "model": None, "progress": None} | more)
        return raw

    return make


@pytest.fixture
def done(training):
    return training("completed", 1, outcome="succeeded", model=MODEL, progress=progress_raw(2))


@pytest.fixture
def folder(tmp_path):
    for name in ("cats/1.png", "dogs/1.png"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"png")
    return str(tmp_path / "data")


@pytest.fixture
def run(server, tmp_path):
    env = {
        "PIXELMILL_URL": server.url,
        "PIXELMILL_API_KEY": "key",
        "PIXELMILL_DATA": str(tmp_path / "none"),
    }
    return lambda *args: CliRunner().invoke(app, list(args), env=env)


def test_a_folder_goes_up_with_a_folder_for_each_class(server, say, client, training, folder):
    server.on("POST", "/v1/files", say.answer(201, {"id": "file_1"}))
    server.on("POST", PATH, training("validating"))
    made = client.trainings.create(folder, name="my/cats", params={"epochs": 2}, priority="high")
    assert (made.id, made.status, made.name) == ("trn_1", "validating", "my/cats")
    upload, submission = server.seen
    with tarfile.open(fileobj=io.BytesIO(upload.body)) as archive:
        assert archive.getnames() == ["cats/1.png", "dogs/1.png"]
    assert submission.json == {
        "name": "my/cats",
        "params": {"epochs": 2},
        "priority": "high",
        "input_file_id": "file_1",
    }
    assert submission.headers["idempotency-key"]


def test_it_waits_until_the_version_is_there(server, client, training, done):
    server.on("GET", ONE, training(), training(progress=progress_raw()), done)
    seen = []
    over = client.trainings.wait("trn_1", on_progress=seen.append)
    assert str(over.model) == "my/cats@3"
    assert [each.progress.get("epoch") for each in seen] == [None, 1, 2]


def test_trainings_are_listed_cancelled_and_deleted(server, say, client, training):
    server.on("GET", PATH, say.page([training().body]))
    server.on("POST", f"{ONE}/cancel", training("cancelled"))
    server.on("DELETE", ONE, say.answer(200, {"id": "trn_1", "deleted": True}))
    assert [each.id for each in client.trainings.list()] == ["trn_1"]
    assert client.trainings.cancel("trn_1").status == "cancelled"
    assert client.trainings.delete("trn_1")["deleted"]


def test_train_prints_the_id_alone(server, say, run, training, folder):
    server.on("POST", "/v1/files", say.answer(201, {"id": "file_1"}))
    server.on("POST", PATH, training("validating"))
    options = ("-a", "torchvision/resnet18", "--param", 'augmentation=["flip"]')
    printed = run("train", folder, "--name", "my/cats", *options)
    assert (printed.exit_code, printed.stdout) == (0, "trn_1\n")
    assert server.seen[-1].json == {
        "name": "my/cats",
        "architecture": "torchvision/resnet18",
        "params": {"augmentation": ["flip"]},
        "input_file_id": "file_1",
    }


def test_train_and_wait_ends_with_the_version_and_the_epochs(
    server, say, run, training, done, folder
):
    server.on("POST", "/v1/files", say.answer(201, {"id": "file_1"}))
    server.on("POST", PATH, training("validating"))
    server.on("GET", ONE, training(progress=progress_raw()), done)
    printed = run("train", folder, "--name", "my/cats", "--wait")
    assert printed.exit_code == 0
    assert "model     my/cats@3" in printed.stdout
    assert "2      0.5000  0.8000    0.4000    0.9000" in printed.stdout
    assert "cats          7     1" in printed.stdout
    assert "epoch 1/2, validation accuracy 0.9000" in printed.stderr


def test_a_training_that_failed_says_why_and_exits_with_one(server, run, training):
    error = {"code": "bad_dataset", "message": "No file of class 'cats' is left."}
    server.on("GET", ONE, training("completed", failed=1, outcome="failed", error=error))
    printed = run("trainings", "status", "trn_1")
    assert printed.exit_code == 1
    assert "No file of class 'cats' is left." in printed.stdout


def test_the_list_shows_a_row_a_training(server, say, run, training, done):
    server.on("GET", PATH, say.page([done.body, training().body]))
    printed = run("trainings", "list")
    assert "trn_1     completed    succeeded  my/cats  2/2    my/cats@3" in printed.stdout
    as_json = run("trainings", "list", "--json", "--limit", "1")
    assert [each["id"] for each in json.loads(as_json.stdout)] == ["trn_1"]


def test_cancel_and_delete_say_what_they_did(server, say, run, training):
    server.on("POST", f"{ONE}/cancel", training("cancelled"))
    server.on("DELETE", ONE, say.answer(200, {"id": "trn_1", "deleted": True}))
    assert "status    cancelled" in run("trainings", "cancel", "trn_1").stdout
    assert run("trainings", "delete", "trn_1").stdout == "trn_1 deleted\n"
