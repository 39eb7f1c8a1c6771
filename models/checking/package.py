"""A package's checks: one for each architecture and each thing that it must hold to."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from models.checking.checks import CHECKS, FIRST
from models.checking.subject import Subject
from models.contracts import check_params
from models.extensions.loading import EXTENSIONS, Own, read_extension
from models.records.errors import ExtensionNotLoaded, RecordError, WeightsError
from models.runtime import weights as weights_file
from models.runtime.network import ImageNetwork
from models.runtime.torch_runtime import ARCHITECTURES
from models.tasks.task import Predictions

Weights = Path | str | Mapping[str, Path | str] | None
Records = Mapping[str, Mapping[str, Any]]
Run = Callable[[], list[str]]


def checks_of(name: str, weights: Weights = None, records: Records | None = None) -> dict[str, Run]:
    """Give the checks of a module by what they are called; each gives its faults, a line each.

    `weights` is a file for the one architecture that there is, or one for each by its name; without
    them they are random. `records` are members of records that the module leaves to whoever pushes.
    """
    try:
        EXTENSIONS.load(name, ARCHITECTURES)
        owns = read_extension(name)
        files = _files(owns, weights)
    except (ExtensionNotLoaded, WeightsError) as err:
        return {f"{name} can be used": partial(list, [str(err)])}
    checks: dict[str, Run] = {}
    for own in owns:
        subject = Subject(own, (records or {}).get(own.name, {}), files.get(own.name))
        checks |= {f"{own.name} {what}": partial(_run, subject, what) for what in CHECKS}
    return checks


def predict(
    name: str,
    picture: bytes,
    architecture: str | None = None,
    weights: Weights = None,
    params: Mapping[str, Any] | None = None,
    records: Records | None = None,
) -> Predictions:
    """Answer one picture as a worker would; raises ModelError."""
    EXTENSIONS.load(name, ARCHITECTURES)
    owns = read_extension(name)
    own = next((own for own in owns if own.name == architecture), owns[0])
    said = (records or {}).get(own.name, {})
    network = Subject(own, said, _files(owns, weights).get(own.name)).network
    if not isinstance(network, ImageNetwork):
        raise RecordError(f"{own.name!r} is for videos; predict is for pictures.")
    outputs = network.forward([network.prepare(picture)])
    return network.postprocess(outputs, check_params(network.record.task, params or {}))[0]


def faults_of(name: str, weights: Weights = None, records: Records | None = None) -> list[str]:
    """Run all checks of a module; gives every fault once, a line each."""
    found = [fault for run in checks_of(name, weights, records).values() for fault in run()]
    return list(dict.fromkeys(found))


def _run(subject: Subject, what: str) -> list[str]:
    """Run one check, if what it stands on holds; else give the faults of that."""
    for first in FIRST:
        if first not in subject.noted:
            subject.noted[first] = _faults(subject, first)
        if first == what or subject.noted[first]:
            return subject.noted[first]
    return _faults(subject, what)


def _faults(subject: Subject, what: str) -> list[str]:
    return list(dict.fromkeys(_line(subject, fault) for fault in CHECKS[what](subject)))


def _line(subject: Subject, fault: str) -> str:
    text = " ".join(f"{subject.own.name}: {fault}".split())
    return text if text.endswith((".", "…")) else text + "."


def _files(owns: list[Own], weights: Weights) -> dict[str, bytes]:
    """Read the weights, by the architectures' names; raises WeightsError."""
    names = [own.name for own in owns]
    if weights is None:
        return {}
    if not isinstance(weights, Mapping):
        if len(names) > 1:
            raise WeightsError(
                f"One file of weights was given for {len(names)} architectures; give a dict of "
                f"files by {', '.join(map(repr, names))}."
            )
        weights = {names[0]: weights}
    for name in weights:
        if name not in names:
            raise WeightsError(
                f"Weights were given for {name!r}; there are {', '.join(map(repr, names))}."
            )
    return {name: weights_file.convert(file) for name, file in weights.items()}
