"""What comes of a pull: the files of one commit, held to their digests, and their record."""

import json
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from pixelmill.wire.errors import ConnectionFailed, InvalidInput, PixelmillError, UnexpectedAnswer
from tests.hub_server import TOKEN, FakeHub, sha256

TENSORS = {"a": torch.arange(6.0), "b": torch.ones(2, 2)}
NAMES = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
PARTS = {
    "config.json": b'{"model_type": "vit"}',
    "model.safetensors.index.json": json.dumps(
        {"weight_map": dict(zip(TENSORS, NAMES, strict=True))}
    ).encode(),
} | {name: save({key: TENSORS[key]}) for key, name in zip(TENSORS, NAMES, strict=True)}
# The library keeps pieces of so many bytes; what is not a whole one is asked for again.
PIECE = 10 * 2**20


def refused(pull: Any, source: str, kind: type[PixelmillError] = InvalidInput) -> str:
    with pytest.raises(kind) as caught, pull(source):
        pass
    said = str(caught.value)
    assert "\n" not in said
    assert TOKEN not in said
    assert "secretSignature" not in said
    return said


def test_a_network_of_timm_comes_with_its_settings_and_its_commit(
    pull: Any, hub: FakeHub, weights: bytes
) -> None:
    with pull("timm/small") as what:
        assert what.weights.read_bytes() == weights
    commit = hub.repositories["timm/small"].commit
    assert what.record["architecture"] == "timm/resnet18"
    assert what.record["labels"] == ["cat", "dog"]
    assert what.record["preprocess"]["crop"] == 64
    assert what.record["provenance"] == {
        "source": f"Hugging Face: timm/small@{commit}",
        "license": "apache-2.0",
        "author": "Somebody",
    }
    assert hub.asked("GET", "pytorch_model.bin") == []


def test_a_folder_of_transformers_comes_as_it_would_be_pushed(pull: Any, hub: FakeHub) -> None:
    with pull("hf:own/vit", task="classification") as what:
        assert what.record["task"] == "classification"
        assert what.record["architecture"] == "huggingface/vit"
        assert what.record["options"]["processor"] == {"size": 32}
        assert what.record["provenance"]["author"] == "own"


def test_what_the_caller_says_of_the_licence_leaves_the_source(pull: Any) -> None:
    with pull("timm/small", provenance={"license": "MIT"}) as what:
        assert what.record["provenance"]["license"] == "MIT"
        assert what.record["provenance"]["author"] == "Somebody"
        assert what.record["provenance"]["source"].startswith("Hugging Face: timm/small@")


def test_a_revision_is_asked_for_and_its_commit_is_fetched(pull: Any, hub: FakeHub) -> None:
    with pull("hf:own/vit@v2"):
        pass
    assert len(hub.asked("GET", "/revision/v2")) == 1
    commit = hub.repositories["own/vit"].commit
    assert len(hub.asked("HEAD", f"/resolve/{commit}/model.safetensors")) == 1


def test_a_second_pull_fetches_nothing_again(pull: Any, hub: FakeHub) -> None:
    for _ in range(2):
        with pull("timm/small"):
            pass
    assert len(hub.asked("GET", "config.json")) == 1
    assert len([path for method, path, _ in hub.seen if "/stored/" in path]) == 1


def test_a_download_that_breaks_off_goes_on_where_it_was(pull: Any, hub: FakeHub) -> None:
    weights = save({"w": torch.arange(3_000_000, dtype=torch.int32)})
    hub.repositories["timm/small"].files["model.safetensors"] = weights
    hub.breaks = [PIECE + 1000]
    with pull("timm/small") as what:
        assert what.weights.read_bytes() == weights
    first, second = hub.asked("GET", f"/stored/{sha256(weights)}")
    assert "range" not in first
    assert second["range"] == f"bytes={PIECE}-"


def test_a_connection_that_stays_broken_is_told_and_what_came_whole_is_kept(
    pull: Any, hub: FakeHub, weights: bytes
) -> None:
    hub.breaks = [0] * 10
    assert "pull again" in refused(pull, "timm/small", ConnectionFailed)
    hub.breaks = []
    with pull("timm/small") as what:
        assert what.weights.read_bytes() == weights
    assert len(hub.asked("GET", "config.json")) == 1


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_other_bytes_than_the_hub_says_are_refused_and_not_kept(
    pull: Any, hub: FakeHub, name: str
) -> None:
    repository = hub.repositories["timm/small"]
    true = repository.files[name]
    repository.served[name] = true[:-1] + bytes([true[-1] ^ 1])
    said = refused(pull, "timm/small")
    assert name in said
    assert "digest" in said
    repository.served.clear()
    with pull("timm/small"):
        pass


def test_weights_in_parts_become_one_file(pull: Any, hub: FakeHub) -> None:
    hub.add("own/parts", PARTS)
    with pull("hf:own/parts") as what:
        found = load(b"".join(what.weights.blocks()))
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], each) for name, each in TENSORS.items())


def test_an_index_that_names_a_file_outside_is_refused(pull: Any, hub: FakeHub) -> None:
    evil = json.dumps({"weight_map": {"a": "../../config.json"}}).encode()
    hub.add("own/parts", PARTS | {"model.safetensors.index.json": evil})
    assert "../../config.json" in refused(pull, "hf:own/parts")


@pytest.mark.parametrize("name", ["../config.json", "/etc/cron.d/x", "a/../../b", "..\\x", "a\nb"])
def test_a_file_name_that_leaves_the_folder_is_refused_before_anything_is_fetched(
    pull: Any, hub: FakeHub, name: str
) -> None:
    hub.repositories["timm/small"].files[name] = b"x"
    assert "outside of its folder" in refused(pull, "timm/small")
    assert len(hub.seen) == 1


def test_pickles_alone_are_refused_before_anything_is_fetched(pull: Any, hub: FakeHub) -> None:
    del hub.repositories["timm/small"].files["model.safetensors"]
    said = refused(pull, "timm/small")
    assert "pytorch_model.bin" in said
    assert len(hub.seen) == 1


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "config.json"),
        ({"config.json": b"{}"}, "model.safetensors"),
        ({"config.json": b"{}", "model.safetensors": b""}, "model_type"),
        ({"config.json": b"[", "model.safetensors": b""}, "config.json"),
        ({"config.json": b'{"model_type": 3}', "model.safetensors": b""}, "model_type"),
    ],
)
def test_a_repository_without_what_is_needed_is_refused(
    pull: Any, hub: FakeHub, files: dict[str, bytes], says: str
) -> None:
    hub.add("own/bare", files)
    said = refused(pull, "hf:own/bare")
    assert says in said
    assert "own/bare" in said
    assert "pixelmill-" not in said


def test_what_does_not_fit_onto_the_disk_is_refused_before_it_is_fetched(
    pull: Any, hub: FakeHub
) -> None:
    hub.repositories["timm/small"].sizes["model.safetensors"] = 2**60
    said = refused(pull, "timm/small")
    assert "are needed" in said
    assert "HF_HOME" in said
    assert len(hub.seen) == 1


def test_settings_that_are_too_large_are_refused_before_they_are_fetched(
    pull: Any, hub: FakeHub
) -> None:
    hub.repositories["timm/small"].sizes["config.json"] = 5 * 2**20
    assert "config.json" in refused(pull, "timm/small")
    assert len(hub.seen) == 1


def test_a_repository_that_is_not_there_is_told(pull: Any, hub: FakeHub) -> None:
    said = refused(pull, "hf:own/absent")
    assert "not to be found" in said
    assert "HF_TOKEN is not set" in said


def test_a_private_repository_takes_a_token(
    pull: Any, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories["own/vit"].closed = "private"
    assert "HF_TOKEN is not set" in refused(pull, "hf:own/vit")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pull("hf:own/vit"):
        pass
    assert refused(pull, "hf:own/absent").endswith("your token may not read it.")


def test_the_token_is_not_shown_to_the_store_of_large_files(
    pull: Any, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pull("timm/small"):
        pass
    stored = [headers for _, path, headers in hub.seen if "/stored/" in path]
    assert stored
    assert all("authorization" not in headers for headers in stored)
    assert all("authorization" in headers for headers in hub.asked("HEAD", "config.json"))


@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_gated_repository_is_told_with_where_to_ask(
    pull: Any, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    hub.repositories["own/vit"].closed = "gated"
    if token is not None:
        monkeypatch.setenv("HF_TOKEN", token)
    said = refused(pull, "hf:own/vit")
    assert "gated" in said
    assert f"{hub.url}/own/vit" in said


def test_a_token_that_is_not_taken_is_told_and_not_shown(
    pull: Any, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_anotherSecret")
    said = refused(pull, "hf:own/vit")
    assert "401" in said
    assert "anotherSecret" not in said


def test_a_revision_that_is_not_there_is_told(pull: Any) -> None:
    assert "no revision 'v9'" in refused(pull, "hf:own/vit@v9")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, InvalidInput), (418, InvalidInput), (429, ConnectionFailed), (503, ConnectionFailed)],
)
def test_a_hub_that_refuses_is_told_by_its_status(
    pull: Any, hub: FakeHub, status: int, kind: type[PixelmillError]
) -> None:
    hub.status = status
    assert str(status) in refused(pull, "hf:own/vit", kind)


def test_a_hub_that_is_not_there_is_told(pull: Any, hub: FakeHub) -> None:
    hub.url = "http://127.0.0.1:9"
    assert "http://127.0.0.1:9" in refused(pull, "hf:own/vit", ConnectionFailed)


def test_an_answer_that_is_not_the_hubs_is_told(pull: Any, hub: FakeHub) -> None:
    hub.status = 200
    assert "HF_ENDPOINT" in refused(pull, "hf:own/vit", UnexpectedAnswer)


def test_a_proxy_is_not_asked_for_this_machine(
    pull: Any, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pull("timm/small"):
        pass
