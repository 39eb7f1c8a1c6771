"""An ONNX file with its weights beside it becomes one file with the same network."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pixelmill import InvalidInput
from pixelmill.client.registering import external_data
from pixelmill.client.registering.external_data import join_external_data
from pixelmill.client.registering.pushing import pushed

NUMBERS = np.arange(600, dtype=np.float32).reshape(20, 30)


def network() -> Any:
    """A matrix as initializer, one in a node's attribute, and one inside a branch."""
    inner = helper.make_graph(
        [helper.make_node("Identity", ["inner"], ["out"])],
        "branch",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [20, 30])],
        [numpy_helper.from_array(NUMBERS * 3, "inner")],
    )
    constant = helper.make_node(
        "Constant", [], ["b"], value=numpy_helper.from_array(NUMBERS * 2, "b")
    )
    branch = helper.make_node("If", ["c"], ["d"], then_branch=inner, else_branch=inner)
    graph = helper.make_graph(
        [constant, branch],
        "network",
        [helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("d", TensorProto.FLOAT, [20, 30])],
        [numpy_helper.from_array(NUMBERS, "a"), numpy_helper.from_array(NUMBERS[0, :1], "small")],
    )
    made = helper.make_model(graph)
    helper.set_model_props(made, {"names": "{0: 'cat'}"})
    return made


@pytest.fixture
def apart(tmp_path: Path) -> Path:
    path = tmp_path / "best.onnx"
    onnx.save(
        network(),
        path,
        save_as_external_data=True,
        location="best.onnx.data",
        size_threshold=64,
        convert_attribute=True,
    )
    return path


def test_a_joined_file_is_the_network_that_was_saved(apart: Path, tmp_path: Path) -> None:
    assert (apart.parent / "best.onnx.data").stat().st_size >= 3 * NUMBERS.nbytes
    with pushed(apart, {}) as what:
        assert what.weights != apart
        assert what.weights.parent != apart.parent
        joined = onnx.load(what.weights, load_external_data=False)
        assert joined.SerializeToString() == network().SerializeToString()
    assert not what.weights.exists()


def test_what_torch_exports_by_default_is_joined(tmp_path: Path) -> None:
    import onnxruntime
    import torch

    path = tmp_path / "torchs.onnx"
    layer = torch.nn.Linear(40, 50).eval()
    torch.onnx.export(layer, (torch.ones(1, 40),), path, dynamo=True, external_data=True)
    assert (tmp_path / "torchs.onnx.data").exists()
    with pushed(path, {}) as what:
        session = onnxruntime.InferenceSession(str(what.weights))
    (answer,) = session.run(None, {session.get_inputs()[0].name: np.ones((1, 40), np.float32)})
    assert np.allclose(answer, layer(torch.ones(1, 40)).detach().numpy(), atol=1e-6)


def test_a_whole_file_goes_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "best.onnx"
    onnx.save(network(), path)
    assert not join_external_data(path, tmp_path / "target")
    for damaged in (b"", b"hello there", b"\x08\x09", path.read_bytes()[:900]):
        path.write_bytes(damaged)
        assert not join_external_data(path, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_file_that_is_not_there_is_named_with_what_to_do(apart: Path, tmp_path: Path) -> None:
    (apart.parent / "best.onnx.data").unlink()
    with pytest.raises(InvalidInput, match=r"best\.onnx\.data, which is not.*external_data=False"):
        join_external_data(apart, tmp_path / "target")


def test_a_file_that_was_cut_short_is_refused(apart: Path, tmp_path: Path) -> None:
    data = apart.parent / "best.onnx.data"
    data.write_bytes(data.read_bytes()[:3000])
    with pytest.raises(InvalidInput, match=r"which has 3,000"):
        join_external_data(apart, tmp_path / "target")


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "in/side", ".hidden", ""])
def test_only_files_beside_it_are_read(apart: Path, tmp_path: Path, location: str) -> None:
    model = onnx.load(apart, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location
    apart.write_bytes(model.SerializeToString())
    with pytest.raises(InvalidInput, match="only a file beside it is read"):
        join_external_data(apart, tmp_path / "target")


def test_a_link_to_elsewhere_is_not_followed(apart: Path, tmp_path: Path) -> None:
    data = apart.parent / "best.onnx.data"
    data.rename(tmp_path / "elsewhere")
    data.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match="not beside it"):
        join_external_data(apart, tmp_path / "target")


def test_more_than_one_message_holds_is_refused(
    apart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_data, "_MOST_BYTES", apart.stat().st_size + 4000)
    with pytest.raises(InvalidInput, match="more than 2 GB"):
        join_external_data(apart, tmp_path / "target")
