"""A file run once on a blank picture, by the same session as later in the engine; no torch."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from models.onnx_models.examination.facts import Port
from models.onnx_models.examination.opening import open_session, raise_if_out_of_memory
from models.onnx_models.examination.wording import reason, shown
from models.records.errors import WeightsError

# Kinds of numbers that pictures can be given as, by onnxruntime's names; bytes are 0 to 255.
NUMBERS: Mapping[str, type[np.number[Any]]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}

# Sides to try where a file leaves them open, after its own: of classifiers, of detectors.
_SIDES = (224, 640, 320)
_LEAST_SIDE, _MOST_SIDE = 16, 2048
_RGB = 3
_CHANNELS = (1, 3, 4)

_NEWER = re.compile(r"Opset (\d+) is under development")
_NO_TENSOR = re.compile(r"^(?!tensor\()|^tensor\(string\)")


class Trial(NamedTuple):
    """What a file was found to take and give; `blank` and `given` are empty where none was run."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    blank: tuple[int, ...] = ()
    given: tuple[tuple[int, ...], ...] = ()


def try_out(data: bytes, metadata: Mapping[str, str]) -> Trial:
    """Open a file, and run it on a blank picture where its input can hold one.

    Raises WeightsError for a file that does not run, or whose answer has what is not a number, and
    MemoryError for one that takes more than there is.
    """
    try:
        session = open_session(data)
    except Exception as err:
        raise_if_out_of_memory(err)
        if (unknown := _NEWER.search(str(err))) is not None:
            raise WeightsError(
                f"The model is written for opset {unknown[1]}, which is newer than "
                "this onnxruntime knows. Export it for an older one, such as 17."
            ) from err
        raise WeightsError(
            f"onnxruntime cannot open the model: {reason(err)}. Export it anew, and "
            "check it with onnx.checker."
        ) from err
    found = Trial(_ports(session.get_inputs()), _ports(session.get_outputs()))
    _refuse_what_is_no_tensor(found)
    if len(found.inputs) != 1 or len(found.inputs[0].shape) not in (3, 4):
        return found
    blank, given = _run(session, found.inputs[0], metadata)
    return found._replace(blank=blank, given=given)


def _ports(listed: Any) -> tuple[Port, ...]:
    return tuple(
        Port(
            each.name,
            each.type,
            tuple(size if isinstance(size, int) and size >= 0 else None for size in each.shape),
        )
        for each in listed
    )


def _refuse_what_is_no_tensor(found: Trial) -> None:
    for what, ports in (("input", found.inputs), ("output", found.outputs)):
        for port in ports:
            if _NO_TENSOR.search(port.dtype):
                raise WeightsError(
                    f"The model's {what} {shown(port.name)} is {port.dtype[:60]}, and only tensors "
                    "of numbers are taken. Export it without what makes texts, lists or options."
                )
    if len(found.inputs) == 1 and found.inputs[0].dtype not in NUMBERS:
        port = found.inputs[0]
        raise WeightsError(
            f"The model's input {shown(port.name)} is {port.dtype}, and pictures are given as "
            f"{', '.join(NUMBERS)}. Export it with an input of float32."
        )


def _run(
    session: Any, port: Port, metadata: Mapping[str, str]
) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """Run blanks of one shape after the other until one works; gives its shape and the answer's."""
    failed: Exception | None = None
    for shape in _shapes(port.shape, metadata):
        try:
            outputs = session.run(None, {port.name: np.zeros(shape, NUMBERS[port.dtype])})
        except Exception as err:
            raise_if_out_of_memory(err)
            failed = failed or err
            continue
        _refuse_unless_finite(session, outputs)
        return shape, tuple(tuple(map(int, each.shape)) for each in outputs)
    assert failed is not None
    raise WeightsError(
        f"The model does not run on a blank picture: {reason(failed)}. Run it once with "
        "onnxruntime on one picture, and export it so that it does."
    ) from failed


def _shapes(
    stated: tuple[int | None, ...], metadata: Mapping[str, str]
) -> Iterator[tuple[int, ...]]:
    """Give the shapes to try: what the file leaves open is filled in."""
    if len(stated) == 3:  # a picture, and no batch
        yield from (shape[1:] for shape in _shapes((1, *stated), metadata))
        return
    at_end = stated[3] in _CHANNELS and stated[1] not in _CHANNELS
    axes = (1, 2) if at_end else (2, 3)
    shape = [1 if each is None else each for each in stated]
    if stated[1] is None and not at_end:
        shape[1] = _RGB
    if all(stated[axis] is not None for axis in axes):
        yield tuple(shape)
        return
    for sides in dict.fromkeys([*_own_sides(metadata), *((each, each) for each in _SIDES)]):
        for axis, side in zip(axes, sides, strict=True):
            if stated[axis] is None:
                shape[axis] = side
        yield tuple(shape)


def _own_sides(metadata: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """Give the height and width that a file says it is made for, if they are sane."""
    numbers = [int(each) for each in re.findall(r"\d{1,5}", metadata.get("imgsz", "")[:40])]
    if numbers and all(_LEAST_SIDE <= each <= _MOST_SIDE for each in numbers):
        yield numbers[0], numbers[-1]


def _refuse_unless_finite(session: Any, outputs: list[Any]) -> None:
    for port, output in zip(session.get_outputs(), outputs, strict=True):
        if output.dtype.kind == "f" and not np.isfinite(output).all():
            raise WeightsError(
                f"The model answers a blank picture with what is not a number (NaN or infinity) in "
                f"its output {shown(port.name)}: its weights are damaged, or were exported wrong."
            )
