"""Videos through HTTP, handed in by every way: the answers that the network gives directly."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch

from models.catalog import SHIPPED, check_params, shipped_weights
from models.media.films import open_video
from models.pictures.clips import Film, heldout_streams
from models.runtime.network import VideoNetwork
from models.runtime.registry import load
from models.tasks.task import Clip, State, Step
from pixelmill import InvalidRequest
from tests.e2e.stacks import RunningStack, results_of
from tests.videos import film, jpeg, movie

FPS = 8


@pytest.fixture(scope="module")
def films() -> list[Film]:
    return heldout_streams(4, 160)


@pytest.fixture(scope="module")
def folder(films: list[Film], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds each of digits that move and change, as QuickTime files."""
    made = tmp_path_factory.mktemp("films")
    for number, each in enumerate(films):
        frames = [jpeg(frame) for frame in each.frames]
        data = movie(frames, 1000 // FPS, width=64, height=64)
        (made / f"{number}.mov").write_bytes(data)
    return made


def directly(path: Path, params: dict[str, Any]) -> dict[str, Any]:
    """What the network says of a file, without windows that overlap."""
    network = load(SHIPPED["motion"], shipped_weights("motion").read_bytes())
    assert isinstance(network, VideoNetwork)
    checked = check_params(network.record.task, params, network.record.labels)
    length = network.windows(checked).length
    clips, state = [], None
    with path.open("rb") as file, open_video(file, path.stat().st_size, network.record.limits) as v:
        frames = list(v.frames(network.sampling(checked)))
    for start in range(0, len(frames), length):
        window = frames[start : start + length]
        stepped, state = answer(network, [frame.pixels for frame in window], state)
        clips.append(Clip(round(window[0].position.at_ms), round(window[-1].end_ms), stepped))
    ((prediction,),) = network.postprocess([clips], checked)
    return prediction


def answer(network: VideoNetwork, pixels: list[np.ndarray], state: State | None) -> Any:
    frames = torch.stack([network.prepare_frame(each) for each in pixels])
    (stepped,) = network.forward([Step(frames, state)])
    return stepped.logits, stepped.state


def check_rows(rows: list[dict[str, Any]], folder: Path, params: dict[str, Any]) -> None:
    assert [row["status"] for row in rows] == ["succeeded"] * len(rows)
    for row in rows:
        (found,) = row["predictions"]
        expected = directly(folder / row["custom_id"].rpartition("/")[2], params)
        assert row["warnings"] == []
        assert found["class"] == expected["class"]
        assert found["confidence"] == pytest.approx(expected["confidence"], abs=1e-4)
        assert [without_confidence(each) for each in found["segments"]] == [
            without_confidence(each) for each in expected["segments"]
        ]
        assert len(found["clips"]) == len(expected["clips"])


def without_confidence(segment: dict[str, Any]) -> dict[str, Any]:
    return {name: segment[name] for name in ("start_ms", "end_ms", "class", "class_id")}


@pytest.mark.parametrize("params", [{}, {"window": 8, "fps": 4.0, "top_k": 3}, {"every_nth": 2}])
def test_a_folder_of_videos_gives_what_the_network_gives(
    stack: RunningStack, folder: Path, params: dict[str, Any]
) -> None:
    with stack.client() as client:
        job = client.wait(client.submit(folder, model="motion", params=params), timeout=120)
        rows = results_of(client, job.id)
    assert [row["custom_id"] for row in rows] == [f"{number}.mov" for number in range(4)]
    check_rows(rows, folder, params)


def test_digits_and_directions_are_found_over_time(
    stack: RunningStack, folder: Path, films: list[Film]
) -> None:
    with stack.client() as client:
        job = client.wait(client.submit(folder, model="motion"), timeout=120)
        rows = results_of(client, job.id)
    right = asked = 0
    for row, each in zip(rows, films, strict=True):
        for clip in row["predictions"][0]["clips"]:
            # In the middle of a window nothing has just changed, as a rule.
            truth = each.digits[clip["end_ms"] * FPS // 1000 - 4]
            right += clip["predictions"][0]["class"].split()[0] == str(truth)
            asked += 1
    assert asked == 40
    assert right >= 0.85 * asked


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_videos_come_in_a_zip(
    stack: RunningStack, folder: Path, tmp_path: Path, method: int
) -> None:
    path = tmp_path / "films.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for each in sorted(folder.iterdir()):
            archive.write(each, f"films/{each.name}")
    with stack.client() as client:
        job = client.wait(client.submit(path, model="motion"), timeout=120)
        check_rows(results_of(client, job.id), folder, {})


@pytest.fixture
def http(stack: RunningStack) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {stack.info['api_key']}"}
    with httpx.Client(base_url=stack.info["url"], headers=headers, timeout=60) as client:
        yield client


def test_videos_come_in_one_body_by_an_uploaded_file_and_one_by_one(
    stack: RunningStack, folder: Path, http: httpx.Client
) -> None:
    paths = sorted(folder.iterdir())[:2]
    parts = [("files", (path.name, path.read_bytes(), "video/quicktime")) for path in paths]
    several = http.post("/v1/jobs", files=parts, data={"job": '{"model": "motion"}'})
    assert several.status_code == 202, several.text
    file = http.post("/v1/files", params={"filename": "0.mov"}, content=paths[0].read_bytes())
    uploaded = http.post("/v1/jobs", json={"model": "motion", "input_file_id": file.json()["id"]})
    assert uploaded.status_code == 202, uploaded.text
    with stack.client() as client:
        for answer in (several, uploaded):
            done = client.wait(answer.json()["id"], timeout=60)
            rows = results_of(client, done.id)
            check_rows(rows, folder, {})
    single = http.post(
        "/v1/predictions",
        files={"file": ("0.mov", paths[0].read_bytes())},
        data={"model": "motion"},
        headers={"Prefer": "wait=50"},
    )
    assert single.status_code == 200, single.text
    check_rows([single.json() | {"custom_id": "0.mov"}], folder, {})


def test_hostile_videos_cost_themselves_and_no_worker(
    stack: RunningStack, folder: Path, tmp_path: Path
) -> None:
    good = (folder / "0.mov").read_bytes()
    films = {
        "a-good.mov": good,
        "b-playlist.mp4": b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "c-concat.mp4": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "d-empty.mp4": movie([]),
        "e-huge.mp4": movie([jpeg(np.zeros((8, 8), np.uint8))], width=65_535, height=65_535),
        "f-one-frame.mp4": film(1),
        "g-cut.mp4": good[: len(good) * 6 // 10],
        "h-nothing.mp4": b"",
        "i-good.mov": good,
    }
    for name, data in films.items():
        (tmp_path / name).write_bytes(data)
    pids = stack.pids
    with stack.client() as client:
        job = client.wait(client.submit(tmp_path, model="motion"), timeout=120)
        rows = results_of(client, job.id)
    outcomes = [row["error"]["code"] if row["error"] else row["status"] for row in rows]
    assert outcomes == [
        "succeeded",
        "unsupported_media",
        "unsupported_media",
        "video_decode_failed",
        "video_too_large",
        "succeeded",
        "succeeded",
        "unsupported_media",
        "succeeded",
    ]
    assert [each["code"] for each in rows[6]["warnings"]] == ["video_damaged"]
    assert rows[0]["predictions"] == rows[-1]["predictions"]
    assert stack.pids == pids


def test_a_window_that_the_model_cannot_take_is_refused_at_submission(
    stack: RunningStack, folder: Path
) -> None:
    with stack.client() as client, pytest.raises(InvalidRequest, match="overlap"):
        client.submit(folder, model="motion", params={"window": 4, "overlap": 4})
