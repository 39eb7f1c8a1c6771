"""What counts as progress of a walk: bytes that it reads, up to many times what there is."""

import io

from jobs.inputs.progress import Progress


def test_a_beat_is_passed_on_only_if_something_was_read_since():
    beats = []
    progress = Progress(100, lambda: beats.append(1))
    file = progress.watch(io.BytesIO(bytes(100)))
    progress.beat()
    assert beats == []
    file.read(10)
    assert len(beats) == 1
    progress.beat()
    file.seek(0)
    file.read(0)
    assert len(beats) == 1
    assert len(file.read()) == 100
    assert len(beats) == 2


def test_reading_the_same_bytes_for_ever_is_no_progress():
    beats = []
    progress = Progress(1, lambda: beats.append(1))
    file = progress.watch(io.BytesIO(bytes(2**20)))
    for _ in range(100):
        file.seek(0)
        file.read(2**20)
    assert 60 <= len(beats) <= 70


def test_a_watched_file_reads_as_the_file_does():
    file = Progress(9, lambda: None).watch(io.BytesIO(b"some text"))
    buffer = bytearray(4)
    assert (file.readinto(buffer), bytes(buffer), file.tell()) == (4, b"some", 4)
    assert file.seek(-4, io.SEEK_END) == 5
    assert file.read() == b"text"
