"""A stranger's ONNX file, examined behind walls: what it does there costs its sender a refusal.

Its fork server is started for one file and ended with it (half a second), so that nothing stays of
either: few versions are registered, and most workers never see a file of ONNX.
"""

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import orjson
import structlog

from models.onnx_models.examination.facts import Facts, Port
from models.records.errors import WeightsError
from workers.walls.processes import DecoderProcess, ForkServer, ProcessDied, TookTooLong

log = structlog.get_logger(__name__)

_MODULE = "workers.walls.onnx_server"

# Memory that an examination may take, beside so many times the file: parsing and opening hold up
# to four and a half copies of it.
_MEMORY, _COPIES = 2 * 2**30, 5
# Seconds that it may compute, and what a second of it reads on top.
_SECONDS, _BYTES_A_SECOND = 60.0, 20_000_000

_MOST_CHARACTERS = 8 * 2**20
_LONGEST_MESSAGE = 1000
_TRIES = 2
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL

_BROKEN = (
    "The model file makes the process that examines it end, so it is broken in a way that "
    "onnxruntime does not survive. Check it with onnx.checker, and export it anew."
)


class NetworkExaminer:
    """Examines ONNX files one at a time, each in a process of its own; safe to share."""

    def __init__(
        self, memory: int = _MEMORY, seconds: float = _SECONDS, module: str = _MODULE
    ) -> None:
        """Allow an examination `memory` bytes and `seconds` of computing, and more by size."""
        self._memory, self._seconds, self._module = memory, seconds, module
        # One at a time: each may take gigabytes.
        self._lock = threading.Lock()
        self._server: ForkServer | None = None
        self._is_closed = False

    def examine(self, data: bytes, beat: Callable[[], None] = lambda: None) -> Facts:
        """Say what an ONNX file takes, gives and tells of itself.

        `beat` is called now and then. Raises WeightsError, whose message is one line, for a file
        that is refused, and ProcessDied when no process is to be had.
        """
        for name in ("onnx", "onnxruntime"):
            if find_spec(name) is None:
                raise WeightsError(
                    f"This worker has no {name}, which reads ONNX files. Install it with "
                    "pip install 'pixelmill[onnx]', and start the worker again."
                )
        with self._lock, self._serving() as server, _sealed(data) as file:
            for _ in range(_TRIES):
                # That there is no process to be had is not the file's fault.
                process = server.fork("networks", self._memory + _COPIES * len(data), [file])
                try:
                    return self._ask(process, len(data), beat)
                except ProcessDied as err:
                    log.warning("network_examiner_died", pid=process.pid, error=repr(err.__cause__))
                finally:
                    process.close()
        raise WeightsError(_BROKEN)

    def close(self) -> None:
        """End what is being examined, and take no more."""
        self._is_closed = True
        if (server := self._server) is not None:
            server.close()

    @contextmanager
    def _serving(self) -> Iterator[ForkServer]:
        if self._is_closed:
            raise ProcessDied
        self._server = ForkServer(self._module)
        try:
            yield self._server
        finally:
            self._server.close()
            self._server = None

    def _ask(self, process: DecoderProcess, size: int, beat: Callable[[], None]) -> Facts:
        process.allow(self._seconds + size / _BYTES_A_SECOND)
        try:
            process.send({"examine": size})
            told = _told(process, beat)
        except TookTooLong as err:
            raise WeightsError(
                f"The model file takes longer than {self._seconds:.0f} seconds to be opened and "
                "run on one blank picture. Export it without loops that do not end, or smaller."
            ) from err
        if isinstance(told, Facts):
            return told
        code, message = told
        if code == "memory":
            raise WeightsError(
                "The model file takes too much memory to be opened and run on one blank picture: "
                f"it may take {self._memory / 2**30:.1f} GiB, and {_COPIES} times its size. Export "
                "it for smaller pictures, or smaller."
            )
        if code != "bad_weights":
            log.error("network_not_examined", error=message)
            raise WeightsError(f"The model file cannot be examined: {message}.")
        raise WeightsError(message)


def _told(process: DecoderProcess, beat: Callable[[], None]) -> Facts | tuple[str, str]:
    """Gather the answer, facts or an error's code and message; raises ProcessDied."""
    pieces: list[str] = []
    held = 0
    try:
        while True:
            what, *told = process.receive(beat)
            if what == "error":
                code, message = map(str, told)
                return code, " ".join(message.split())[:_LONGEST_MESSAGE]
            if what == "end":
                return _held_to_form(orjson.loads("".join(pieces)))
            pieces.append(str(told[0]))
            held += len(pieces[-1])
            if held > _MOST_CHARACTERS:
                raise ValueError("it tells more than any file has to say")
    except (TypeError, ValueError, KeyError, IndexError) as err:
        raise ProcessDied from err


def _held_to_form(data: Any) -> Facts:
    """Read facts that a process tells, which a file may have taken over; raises ValueError."""
    facts = Facts.from_json(data)
    sizes = [facts.blank, *facts.given]
    if not all(map(_is_port, (*facts.inputs, *facts.outputs))):
        raise ValueError("a port is a name, a kind and sizes")
    if not all(type(size) is int and size >= 0 for shape in sizes for size in shape):
        raise ValueError("sizes are whole numbers")
    if not all(isinstance(each, str) for pair in facts.metadata.items() for each in pair):
        raise ValueError("metadata are text")
    return facts


def _is_port(port: Port) -> bool:
    sizes = all(each is None or (type(each) is int and each >= 0) for each in port.shape)
    return sizes and isinstance(port.name, str) and isinstance(port.dtype, str)


@contextmanager
def _sealed(data: bytes) -> Iterator[int]:
    """Give an open file of these bytes in memory, which nobody can change any more."""
    file = os.memfd_create("pixelmill-network", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        left, at = memoryview(data), 0
        while left:
            written = os.pwrite(file, left, at)
            left, at = left[written:], at + written
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
        yield file
    finally:
        os.close(file)
