"""What submit takes, and what reaches the server of it."""

import io
import os
import tarfile
import tracemalloc

import pytest

from pixelmill import File, InvalidInput
from pixelmill.client.inputs.planning import Gathered, Listed, Upload, plan_inputs
from pixelmill.wire.tarstream import read_blocks, tar_stream

MIB = 1024 * 1024


@pytest.fixture
def accepting(server, say):
    server.on("POST", "/v1/files", say.answer(201, {"id": "file_1", "filename": "x", "bytes": 3}))
    server.on("POST", "/v1/jobs", say.job())
    return server


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    names = "b.png a.jpg a/z.JPEG a/y.bmp a-b/c.webp a.txt .hidden.png .git/x.png deep/er/v.mp4"
    for name in names.split():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


WANTED = ["a-b/c.webp", "a.jpg", "a/y.bmp", "a/z.JPEG", "b.png", "deep/er/v.mp4"]


def names_in(body):
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        return archive.getnames()


def names_of(inputs):
    return [entry.name for entry in plan_inputs(inputs)]


def test_a_folder_goes_as_a_sorted_tar_named_by_relative_paths(accepting, client, photos):
    client.submit(photos, model="digits")
    upload, submission = accepting.seen
    assert upload.query == {"filename": "photos.tar"}
    assert upload.headers["content-type"] == "application/octet-stream"
    assert names_in(upload.body) == WANTED == sorted(WANTED)
    assert submission.json == {"model": "digits", "input_file_id": "file_1"}
    with tarfile.open(fileobj=io.BytesIO(upload.body)) as archive:
        for name in WANTED:
            assert archive.extractfile(name).read() == name.encode()


def test_every_file_of_a_folder_goes_whatever_its_suffix_and_what_stays_is_told(
    accepting, client, tmp_path
):
    sent = [
        "a.HEIC",
        "b.jfif",
        "c",
        "d.ts",
        "e.3gp",
        "f.vob",
        "g.mxf",
        "h.xyz",
        "i.jpg~",
        "sub/j.DNG",
    ]
    left = {
        ".DS_Store": "system_file",
        "sub/._j.DNG": "system_file",
        "Thumbs.db": "system_file",
        "Icon\r": "system_file",
        "@eaDir": "system_file",
        ".env": "hidden",
        ".git": "hidden",
        "notes.TXT": "not_media",
        "sub/labels.json": "not_media",
        "old.tar.xz": "archive",
        "old.7z": "archive",
    }
    for name in [*sent, *left, "@eaDir/x/SYNOPHOTO_THUMB_M.jpg", ".git/config"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name not in ("@eaDir", ".git"):
            path.write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe.mp4")
    job = client.submit(tmp_path, model="digits")
    assert names_in(accepting.seen[0].body) == sent
    told = {each["name"]: each["reason"] for each in job.left_out.names}
    assert told == {**left, "pipe.mp4": "not_a_file"}
    assert job.left_out.count == len(told)
    assert str(job.left_out).startswith("12 files skipped: 5 system_file")


def test_what_stays_is_counted_once_though_the_upload_is_begun_anew(server, client, photos, say):
    server.on("POST", "/v1/files", say.drop, say.answer(503), say.answer(201, {"id": "file_1"}))
    server.on("POST", "/v1/jobs", say.job())
    job = client.submit(photos, model="digits")
    assert job.left_out.by_reason == {"hidden": 2, "not_media": 1}


@pytest.mark.parametrize("name", ["a.tar.bz2", "a.tbz2", "a.tar.xz", "a.txz", "a.tar.zst", "a.7z"])
def test_every_kind_of_archive_goes_as_it_is(accepting, client, tmp_path, name):
    (tmp_path / name).write_bytes(b"packed")
    assert client.submit(tmp_path / name, model="digits").left_out.count == 0
    assert accepting.seen[0].body == b"packed"


def test_an_upload_that_broke_is_begun_anew_with_the_same_bytes(server, client, photos, say):
    server.on("POST", "/v1/files", say.drop, say.answer(503), say.answer(201, {"id": "file_1"}))
    server.on("POST", "/v1/jobs", say.job())
    client.submit(photos, model="digits")
    bodies = [seen.body for seen in server.to("POST", "/v1/files")]
    assert len(bodies) == 3
    assert len(set(bodies)) == 1


def test_a_large_folder_is_sent_in_bounded_memory(accepting, client, tmp_path):
    accepting.keep_bodies = False
    for number in range(64):
        with (tmp_path / f"{number:02}.png").open("wb") as file:
            file.truncate(2 * MIB)
    client.submit(tmp_path, model="digits")  # Warm: imports and buffers of the first request.
    tracemalloc.start()
    client.submit(tmp_path, model="digits")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert accepting.to("POST", "/v1/files")[-1].size > 128 * MIB
    assert peak < 6 * MIB


def test_an_archive_goes_as_it_is_with_its_length(accepting, client, tmp_path):
    archive = tmp_path / "batch.ZIP"
    archive.write_bytes(b"PK...")
    client.submit(archive, model="digits")
    upload = accepting.seen[0]
    assert upload.body == b"PK..."
    assert upload.query == {"filename": "batch.ZIP"}
    assert upload.headers["content-length"] == "5"
    assert "transfer-encoding" not in upload.headers


def test_a_list_of_files_keeps_its_order_and_names_them_from_their_common_folder(photos):
    assert names_of([photos / "b.png", photos / "a/z.JPEG"]) == ["b.png", "a/z.JPEG"]
    assert names_of([photos / "a/z.JPEG", photos / "a/y.bmp"]) == ["z.JPEG", "y.bmp"]
    assert names_of([str(photos / "b.png")]) == names_of(photos / "b.png") == ["b.png"]


def test_several_folders_keep_their_own_names_apart(photos):
    assert names_of([photos / "a", photos / "deep"]) == ["a/y.bmp", "a/z.JPEG", "deep/er/v.mp4"]


def test_urls_and_requests_travel_in_the_submission(accepting, client):
    urls = ["https://example.org/a.png", "http://example.org/b.png"]
    requests = [{"custom_id": "x", "input": {"url": urls[0]}}]
    client.submit(urls, model="digits")
    client.submit(urls[0], model="digits")
    client.submit(requests, model="digits")
    assert [seen.json for seen in accepting.seen] == [
        {"model": "digits", "urls": urls},
        {"model": "digits", "urls": urls[:1]},
        {"model": "digits", "requests": requests},
    ]


def test_a_file_uploaded_before_is_named_by_its_id():
    assert plan_inputs(File.from_raw({"id": "file_9"})) == Listed("input_file_id", "file_9")


def test_every_argument_reaches_the_submission(accepting, client):
    client.submit(
        ["https://example.org/a.png"],
        model="digits",
        params={"top_k": 3},
        priority="high",
        metadata={"run": "7"},
        webhook="https://example.org/hook",
        completion_window="24h",
        output_expires_after=60,
        delete_inputs=True,
    )
    assert accepting.seen[0].json == {
        "model": "digits",
        "urls": ["https://example.org/a.png"],
        "params": {"top_k": 3},
        "priority": "high",
        "metadata": {"run": "7"},
        "webhook": {"url": "https://example.org/hook"},
        "completion_window": "24h",
        "output_expires_after": 60,
        "delete_inputs": True,
    }


def test_what_cannot_be_sent_is_refused_before_anything_is(server, client, photos, tmp_path):
    (tmp_path / "empty").mkdir()
    (photos / "batch.zip").write_bytes(b"PK")
    cases = {
        "holds no image": tmp_path / "empty",
        "does not exist": photos / "nowhere.png",
        "neither an image": photos / "a.txt",
        "submit it alone": [photos / "batch.zip", photos / "b.png"],
        "is empty": [],
        "given twice": [photos / "b.png", photos / "a" / ".." / "b.png"],
        "in a folder that is given": [photos, photos / "b.png"],
        "as two jobs": ["https://example.org/a.png", str(photos / "b.png")],
        "input 1 is a dict": [photos / "b.png", {"input": {}}],
    }
    for message, inputs in cases.items():
        with pytest.raises(InvalidInput, match=message):
            client.submit(inputs, model="digits")
    assert server.seen == []


@pytest.mark.parametrize("inputs", ["", [""], ["a.png", ""]])
def test_an_empty_name_is_not_the_working_folder(server, client, photos, monkeypatch, inputs):
    monkeypatch.chdir(photos)
    with pytest.raises(InvalidInput, match="empty"):
        client.submit(inputs, model="digits")
    with pytest.raises(InvalidInput, match="empty"):
        client.trainings.create(inputs, name="my/digits")
    assert not server.seen


def test_a_link_that_leads_nowhere_or_around_is_named(photos):
    (photos / "gone.png").symlink_to("nowhere.png")
    with pytest.raises(InvalidInput, match=r"gone\.png.*broken link"):
        names_of(photos)
    (photos / "gone.png").unlink()
    (photos / "loop").symlink_to(photos)
    with pytest.raises(InvalidInput, match="link to a folder around it"):
        names_of(photos)


def test_a_linked_image_keeps_the_name_of_the_link(photos, tmp_path):
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "mine.png").symlink_to(photos / "b.png")
    assert names_of(tmp_path / "links") == ["mine.png"]
    assert names_of(tmp_path / "links" / "mine.png") == ["mine.png"]


def test_a_name_that_is_no_text_is_refused(tmp_path):
    with open(os.fsencode(tmp_path) + b"/\xff.png", "wb"):
        pass
    with pytest.raises(InvalidInput, match="UTF-8"):
        names_of(tmp_path)


def test_long_and_foreign_names_survive_the_tar(tmp_path):
    name = "ü" * 60 + "/" + "日本" * 20 + ".png"
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_bytes(b"x" * 700)
    body = b"".join(tar_stream(plan_inputs(tmp_path)))
    assert names_in(body) == [name]
    # Readers stricter than Python's want whole blocks and the two empty ones at the end.
    assert len(body) % 512 == 0
    assert body.endswith(bytes(1024))


@pytest.mark.parametrize("size", [2 * MIB - 1, 2 * MIB + 1, 0])
def test_a_file_of_another_size_than_announced_is_noticed(tmp_path, size):
    (tmp_path / "a.png").write_bytes(bytes(2 * MIB))
    blocks = read_blocks(tmp_path / "a.png", 2 * MIB)
    next(blocks)
    os.truncate(tmp_path / "a.png", size)
    with pytest.raises(InvalidInput, match="changed while"):
        list(blocks)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be read: Is a directory"):
        list(read_blocks(tmp_path, 1))


def test_a_file_that_changes_while_it_is_sent_breaks_the_upload_off(server, client, tmp_path, say):
    server.on("POST", "/v1/files", say.answer(201, {"id": "file_1"}))
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(bytes(MIB))

    def remove(_):
        (tmp_path / "b.png").unlink(missing_ok=True)

    with pytest.raises(InvalidInput, match=r"b\.png cannot be read"):
        client.submit(tmp_path, model="digits", on_upload=remove)
    assert server.to("POST", "/v1/jobs") == []


def test_kinds_of_plan(photos, tmp_path):
    (tmp_path / "x.jsonl").write_text("{}")
    assert isinstance(plan_inputs(tmp_path / "x.jsonl"), Upload)
    assert isinstance(plan_inputs(photos), Gathered)


def test_progress_of_an_upload_counts_the_bytes(accepting, client, photos):
    seen = []
    client.submit(photos, model="digits", on_upload=seen.append)
    assert seen[-1] == accepting.seen[0].size


def test_a_file_object_is_uploaded_from_where_it_stands(accepting, client):
    file = io.BytesIO(b"skip-bytes")
    file.seek(5)
    assert client.upload(file, "a.zip").id == "file_1"
    assert accepting.seen[0].body == b"bytes"


def test_a_file_object_must_have_a_name_and_be_binary(client):
    with pytest.raises(InvalidInput, match="filename"):
        client.upload(io.BytesIO(b"x"))
    with pytest.raises(InvalidInput, match="binary"):
        client.upload(io.StringIO("x"), "a.zip")


@pytest.mark.parametrize(
    ("address", "member"),
    [
        ("s3://photos/path/", "prefix"),
        ("gs://photos", "prefix"),
        ("az://account/container/path", "prefix"),
        ("file:///srv/photos/", "prefix"),
        ("s3://photos/path/a.tar", "archive"),
        ("s3://photos/path/A.TAR.GZ", "archive"),
        ("s3://photos/a.tar/", "prefix"),
        ("s3://photos/list.csv", "manifest"),
        ("s3://photos/list.JSONL", "manifest"),
        ("s3://photos/list.parquet", "manifest"),
    ],
)
def test_a_buckets_address_goes_as_it_is(accepting, client, address, member):
    client.submit(address, model="digits", include=("*.png",), connection="lake")
    (submission,) = accepting.seen
    assert submission.json == {
        "model": "digits",
        member: address,
        "include": ["*.png"],
        "connection": "lake",
    }


def test_a_buckets_address_goes_alone():
    with pytest.raises(InvalidInput, match="alone"):
        plan_inputs(["s3://photos/a/", "s3://photos/b/"])
    with pytest.raises(InvalidInput, match="alone"):
        plan_inputs(["photos", "s3://photos/b/"])
