"""One stranger's ONNX file, inside the walls: parsed, opened, and run once.

{"examine": size}                  the only question; the file's bytes come as an open file
-> ["piece", text], … ["end"]      the facts as JSON, in pieces that fit a message
-> ["error", code, message]        refused (`bad_weights`), or too large (`memory`)
"""

import mmap
import os
import socket
from typing import Any

import orjson

from models.onnx_models.examination.examining import examine
from models.onnx_models.examination.opening import library
from models.onnx_models.examination.wording import reason
from models.records.errors import WeightsError
from workers.walls import wire

# Characters of a piece; written as JSON again, each takes four bytes at most.
_PIECE = 16 * 1024


class NetworkServer:
    """Examines one file."""

    def __init__(self, own: socket.socket, source: int) -> None:
        self._own = own
        size = os.fstat(source).st_size
        self._file = mmap.mmap(source, size, prot=mmap.PROT_READ) if size else b""

    def run(self) -> None:
        """Answer the one question."""
        wire.receive(self._own)
        try:
            facts = orjson.dumps(examine(self._file[:]).to_json()).decode()
        except WeightsError as err:
            answer: list[Any] = ["error", "bad_weights", str(err)]
        except MemoryError:
            answer = ["error", "memory", ""]
        except Exception as err:
            answer = ["error", "internal_error", f"{type(err).__name__}: {reason(err)}"]
        else:
            for start in range(0, len(facts), _PIECE):
                wire.send(self._own, ["piece", facts[start : start + _PIECE]])
            answer = ["end"]
        wire.send(self._own, answer)


def preload() -> None:
    """Examine a tiny file, so that everything is imported that an examination needs."""
    onnx = library("onnx")
    make, number = onnx.helper, onnx.TensorProto.FLOAT
    ports = [make.make_tensor_value_info(name, number, [None, 3, None, None]) for name in "xy"]
    graph = make.make_graph([make.make_node("Relu", ["x"], ["y"])], "tiny", ports[:1], ports[1:])
    opset = make.make_opsetid("", 17)
    examine(make.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString())
