"""A file of ONNX runs as onnxruntime runs it, in any thread, and leaves nothing behind."""

import ctypes
import gc
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from models.onnx_models.examination import opening
from models.onnx_models.examination.opening import session_options
from models.onnx_models.reading import session
from models.onnx_models.reading.heads import table as heads
from models.onnx_models.reading.session import OnnxModule
from models.records import options
from models.records.errors import WeightsError
from models.runtime.device_faults import is_out_of_memory
from models.runtime.network import ImageNetwork
from models.runtime.registry import RUNTIMES
from tests.model_files.models_by_hand import OPEN, classifier, file, node, port, weights

onnxruntime = opening.library("onnxruntime")  # it counts who imports it plainly

GOOD = classifier().SerializeToString()
FIXED = classifier([1, 3, 24, 24]).SerializeToString()


def first(outputs: Sequence[Tensor], _size: tuple[int, int]) -> Tensor:
    return outputs[0]


def batch(count: int = 4, side: int = 24, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def directly(data: bytes, pictures: Tensor) -> np.ndarray[Any, Any]:
    options = session_options(opening.threads())
    made = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return made.run(None, {"x": np.ascontiguousarray(pictures.numpy())})[0]


def resident() -> float:
    """MiB that this process holds, once what was freed is given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def test_a_batch_is_answered_to_the_bit_as_onnxruntime_answers_it():
    assert np.array_equal(OnnxModule(GOOD, first)(batch()).numpy(), directly(GOOD, batch()))


@pytest.mark.parametrize(("heavy_s", "expected"), [(0.0, 4), (3600.0, 1)])
def test_a_heavy_network_is_opened_anew_with_all_cores_and_a_light_one_keeps_one(
    monkeypatch: pytest.MonkeyPatch, heavy_s: float, expected: int
) -> None:
    opened: list[int] = []

    def open_session(data: bytes, device: str = "cpu", cores: int = 0) -> Any:
        opened.append(cores or session.threads())
        return opening.open_session(data, device, cores)

    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.setattr(session, "HEAVY_S", heavy_s)
    monkeypatch.setattr(session, "open_session", open_session)
    module = OnnxModule(GOOD, first)
    answers = [module(batch()).numpy() for _ in range(2)]
    assert all(np.array_equal(each, directly(GOOD, batch())) for each in answers)
    assert (module.cores, opened) == (expected, [1] if expected == 1 else [1, expected])


def test_with_one_core_there_is_nothing_to_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(session, "HEAVY_S", 0.0)
    module = OnnxModule(GOOD, first)
    module(batch())
    assert module.cores == 1


def test_a_batch_with_channels_last_is_answered_the_same():
    module = OnnxModule(GOOD, first)
    turned = batch().contiguous(memory_format=torch.channels_last)
    assert torch.equal(module(turned), module(batch()))


def test_a_file_of_one_picture_is_run_picture_by_picture():
    answers = OnnxModule(FIXED, first)(batch())
    wanted = [directly(FIXED, batch()[at : at + 1]) for at in range(4)]
    assert np.array_equal(answers.numpy(), np.concatenate(wanted))


def test_a_file_that_takes_a_picture_and_no_batch_is_run_picture_by_picture():
    data = file([node("Relu", "x", "y")], inputs=[port("x", [3, 24, 24])])
    module = OnnxModule(data, lambda outputs, _: [outputs[0]])
    answers = module(batch(2))
    assert [tuple(each.shape) for each in answers] == [(3, 24, 24)] * 2
    assert torch.equal(torch.stack(answers), batch(2).relu())


def test_a_head_for_one_picture_gets_one_picture():
    module = OnnxModule(GOOD, lambda outputs, _: [len(outputs[0])], one_at_a_time=True)
    assert module(batch(3)) == [1, 1, 1]


def test_the_head_is_told_the_size_of_the_pictures_and_every_output():
    seen: list[Any] = []
    data = file(
        [node("Relu", "x", "y"), node("ReduceMean", "x", "z", keepdims=0)],
        outputs=[port("y", None), port("z", None)],
    )

    def decode(outputs: Sequence[Tensor], size: tuple[int, int]) -> str:
        seen.append(([tuple(each.shape) for each in outputs], size))
        return "decoded"

    assert OnnxModule(data, decode)(torch.ones(2, 3, 8, 10)) == "decoded"
    assert seen == [([(2, 3, 8, 10), ()], (8, 10))]


def test_a_file_of_half_precision_is_given_half_precision_and_read_in_single():
    number = onnx.TensorProto.FLOAT16
    ports = [port(name, OPEN, number) for name in "xy"]
    data = file([node("Relu", "x", "y")], inputs=ports[:1], outputs=ports[1:])
    answer = OnnxModule(data, first)(batch())
    assert answer.dtype == torch.float32
    assert torch.equal(answer, batch().half().float())


def test_a_file_of_bytes_is_given_the_nearest_whole_numbers_from_0_to_255():
    number = onnx.TensorProto.UINT8
    nodes = [node("Cast", "x", "y", to=onnx.TensorProto.FLOAT)]
    data = file(nodes, inputs=[port("x", OPEN, number)])
    given = torch.tensor([-3.0, 0.2, 99.99998, 100.6, 254.9999, 300.0]).reshape(1, 1, 2, 3)
    wanted = torch.tensor([0.0, 0, 100, 101, 255, 255]).reshape(1, 1, 2, 3)
    answer = OnnxModule(data, first)(given.expand(2, 3, 2, 3))
    assert torch.equal(answer, wanted.expand(2, 3, 2, 3))


def test_whole_numbers_that_a_file_answers_stay_whole():
    nodes = [node("Cast", "x", "y", to=onnx.TensorProto.INT64)]
    data = file(nodes, outputs=[port("y", None, onnx.TensorProto.INT64)])
    assert OnnxModule(data, first)(batch()).dtype == torch.int64


def test_four_threads_get_each_its_own_answers():
    module = OnnxModule(GOOD, first)
    wanted = [directly(GOOD, batch(seed=seed)) for seed in range(4)]

    def run(seed: int) -> bool:
        return all(np.array_equal(module(batch(seed=seed)), wanted[seed]) for _ in range(50))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(run, range(4)))


def test_what_a_file_held_is_given_back_when_it_is_let_go():
    data = classifier(channels=512, layers=5).SerializeToString()
    size = len(data) / 2**20
    OnnxModule(GOOD, first)(batch())
    before = resident()
    # Of a copy, that nobody else holds: the module keeps none either.
    module = OnnxModule(bytes(bytearray(data)), first)
    for side in (16, 24, 32):
        module(batch(2, side))
    held = resident() - before
    assert 0.8 * size < held < 1.3 * size
    del module
    assert resident() - before < 0.1 * size


def test_a_network_counts_the_bytes_of_its_file(record_of_onnx):
    assert ImageNetwork(record_of_onnx, OnnxModule(GOOD, first)).size_bytes == len(GOOD)


@pytest.fixture
def record_of_onnx():
    from models.catalog import SHIPPED

    return SHIPPED["digits"]


def test_a_batch_that_lacks_memory_may_be_run_in_halves():
    nodes = [
        node("ConstantOfShape", "s", "c"),
        node("ReduceMean", "c", "d", keepdims=0),
        node("Add", "x d", "y"),
    ]
    shape = onnx.helper.make_tensor("s", onnx.TensorProto.INT64, [2], [2**24, 2**24])
    with pytest.raises(MemoryError) as caught:
        OnnxModule(file(nodes, [shape]), first)(batch())
    assert is_out_of_memory(caught.value)


def test_pictures_that_do_not_fit_are_told_in_one_line():
    module = OnnxModule(file([node("Conv", "x w", "y")], [weights("w", 4, 7, 3, 3)]), first)
    with pytest.raises(RuntimeError, match="kernel channels: 7") as caught:
        module(batch())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x1c\0\0\0ORTM" + bytes(100), "cannot open the model"),
        (file([node("Add", "x z", "y")], inputs=[port("x", OPEN), port("z", OPEN)]), "'x', 'z'"),
    ],
)
def test_what_cannot_be_run_is_refused(data, words):
    with pytest.raises(WeightsError, match=words):
        OnnxModule(data, first)


@pytest.mark.parametrize(("told", "count"), [("3", 3), ("0", os.cpu_count()), ("", os.cpu_count())])
def test_a_session_computes_with_the_cores_that_the_launcher_gave(monkeypatch, told, count):
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert opening.threads() == count


def test_where_the_extra_is_missing_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(WeightsError, match=r"pip install 'pixelmill\[onnx\]'"):
        session.OnnxModule(GOOD, first)


QUIET = """
import os, sys
from models.onnx_models.examination.opening import open_session
open_session(sys.stdin.buffer.read())
print(len(os.listdir("/proc/self/task")))
"""


def test_onnxruntime_counts_nobody_and_starts_no_thread_of_its_own(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", QUIET],
        input=GOOD,
        capture_output=True,
        env={
            "PATH": os.defpath,
            "PYTHONPATH": os.getcwd(),
            "HOME": str(tmp_path),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        },
        timeout=60,
    )
    assert done.stdout.split() == [b"1"], done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_registry_runs_files_of_onnx_by_onnxruntime_and_reads_them_by_their_head(
    monkeypatch, record_of_onnx
):
    class Head:
        single = False

        def decode(self, outputs: Sequence[Tensor], size: tuple[int, int], options: Any) -> Any:
            return outputs[0], size, options

    class Options:
        head = "plain"

    chosen = Options()
    monkeypatch.setattr(heads, "HEADS", {"plain": Head()})
    monkeypatch.setattr(options, "read_onnx_options", lambda given: chosen)
    module = RUNTIMES["onnx"](record_of_onnx, GOOD, "cpu")
    answer, size, told = module(batch())
    assert np.array_equal(answer.numpy(), directly(GOOD, batch()))
    assert (size, told) == ((24, 24), chosen)


LAZY = """
import sys
import models.runtime.registry
print(sorted({"onnx", "onnxruntime"} & set(sys.modules)))
"""


def test_whoever_runs_no_file_of_onnx_needs_no_onnxruntime():
    done = subprocess.run(
        [sys.executable, "-c", LAZY], capture_output=True, timeout=120, cwd=os.getcwd()
    )
    assert done.stdout.strip() == b"[]", done.stderr
