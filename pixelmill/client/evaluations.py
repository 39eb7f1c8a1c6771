"""Evaluations: how good a version is on labelled pictures of one's own.

job = client.evaluate("my/cats", "labelled/")
print(client.evaluation(job, wait=600).figures)
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from pixelmill.client.calls import create, job_path
from pixelmill.client.inputs.planning import Delivered, PathLike, Picked, Plan
from pixelmill.client.model_calls import ModelCalls
from pixelmill.client.records import File, Job, Raw
from pixelmill.wire.errors import UnexpectedAnswer
from pixelmill.wire.transport import Call
from pixelmill.wire.uploads import OnUpload, path_upload

_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good a version is on labelled items; the figures are of those that were answered."""

    job_id: str
    status: str
    raw: Raw = field(repr=False, compare=False)
    model: str = ""
    # Why there are no figures, if there will be none.
    failure: str | None = None
    items: int = 0
    evaluated: int = 0
    failed: int = 0
    measure: str = ""
    figures: Mapping[str, float | None] = field(default_factory=dict)
    per_class: Sequence[Mapping[str, Any]] = ()
    confusion: Mapping[str, Any] | None = None
    unanswered: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def from_raw(cls, raw: Raw) -> Self:
        """Read the server's answer."""
        known = {name: raw[name] for name in cls.__dataclass_fields__ if raw.get(name) is not None}
        if not {"job_id", "status"} <= known.keys():
            raise UnexpectedAnswer(
                "the server's evaluation lacks its job or status; is it an older server?"
            )
        return cls(**known | {"raw": raw})

    @property
    def is_ready(self) -> bool:
        """Whether there are figures."""
        return self.status == "ready"


class EvaluationCalls(ModelCalls):
    """What a client can do with labelled pictures; part of `pixelmill.Client`."""

    _sleep: Callable[[float], None]
    _deliver_plan: Callable[[Plan | Picked, OnUpload | None], Delivered]

    def evaluate(
        self,
        model: str,
        folder: PathLike,
        *,
        params: Mapping[str, Any] | None = None,
        priority: str | None = None,
        metadata: Mapping[str, str] | None = None,
        webhook: Mapping[str, Any] | None = None,
        completion_window: str | None = None,
        output_expires_after: int | None = None,
        overlays: bool | None = None,
        idempotency_key: str | None = None,
        on_upload: OnUpload | None = None,
    ) -> Job:
        """Run a version on a folder of labelled pictures; gives the job at once.

        Of a classifier, the folder has one for each class, named like one of the version's labels
        (or is an archive of that). Of a detector, it has pictures and a COCO file of their boxes.
        Of a segmenter, it has pictures, and in `masks` a PNG of class ids for each. Raises
        InvalidInput before anything is sent when a class is none of the version's.
        """
        # Here and not above: no other call needs NumPy, which takes longer than most of them.
        from pixelmill.client.labelled.labelled import read_labelled

        version = self.model(model)
        labelled = read_labelled(version, Path(folder))
        body: dict[str, Any] = {
            # The version whose labels were looked at, whatever an alias names a moment later.
            "model": version.id,
            "params": params,
            "priority": priority,
            "metadata": metadata,
            "webhook": webhook,
            "completion_window": completion_window,
            "output_expires_after": output_expires_after,
            "overlays": overlays,
        }
        if labelled.lines is not None:
            body["truth_file_id"] = self._upload_lines(labelled.lines()).id
        member, left_out = self._deliver_plan(labelled.pictures, on_upload)
        call = create("/v1/evaluations", body | member, idempotency_key)
        return replace(Job.from_raw(self._answer(call)), left_out=left_out)

    def evaluation(self, job: str | Job, *, wait: float = 0) -> Evaluation:
        """Tell how good a version was.

        Its `status` is "waiting" if the job is not over and counted within `wait` seconds.
        """
        call = Call("GET", job_path(job) + "/evaluation", repeatable=True)
        until = time.monotonic() + wait
        while True:
            found = Evaluation.from_raw(self._answer(call))
            if found.status != "waiting" or time.monotonic() >= until:
                return found
            self._sleep(_PAUSE_S)

    def _upload_lines(self, lines: Iterable[Mapping[str, Any]]) -> File:
        with tempfile.TemporaryDirectory(prefix="pixelmill-") as folder:
            path = Path(folder) / "truth.jsonl"
            with path.open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            return File.from_raw(self._answer(path_upload(path, None, None)))
