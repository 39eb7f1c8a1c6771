"""The client's calls about models: their versions and aliases, and the log of changes."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pixelmill.client.hub import HubModel, pulled, read_reference
from pixelmill.client.records import Alias, Model
from pixelmill.client.registering.checking import Samples
from pixelmill.client.registering.pushing import Pushed, pushed, record_of
from pixelmill.client.registering.registration import (
    OnStep,
    check_of,
    push_call,
    refuse_unless_made,
    sending,
)
from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.pages import pages
from pixelmill.wire.transport import Call, Transport, json_object


def _tell_nobody(_step: str) -> None:
    pass


class ModelCalls:
    """What a client can do with models; part of `pixelmill.Client`."""

    _transport: Transport

    def models(self) -> list[Model]:
        """Give the models that jobs can name, each in its newest version."""
        return self._models("/v1/models")

    def model(self, name: str) -> Model:
        """Give the version that a name stands for: `digits`, `digits@3` or `digits@production`."""
        return Model.from_raw(self._answer(Call("GET", _path(name), repeatable=True)))

    def versions(self, name: str) -> list[Model]:
        """Give the versions of a model, newest first, also those that are not ready."""
        return self._models(_path(name) + "/versions")

    def version(self, name: str, version: int) -> Model:
        """Give one version of a model, whatever its state."""
        call = Call("GET", f"{_path(name)}/versions/{version}", repeatable=True)
        return Model.from_raw(self._answer(call))

    def push(
        self,
        name: str,
        weights: Path | str,
        record: Mapping[str, Any] | None = None,
        *,
        architecture: str | None = None,
        labels: Sequence[str] | Path | str | None = None,
        task: str | None = None,
        head: str | None = None,
        scale: str | None = None,
        license_name: str | None = None,
        state_dict: str | None = None,
        check: Samples | bool | None = None,
        expected: Path | str | None = None,
        wait: float = 0,
        on_step: OnStep = _tell_nobody,
    ) -> Model:
        """Register a network as a version of a model, `my/cats` or one of all tenants'.

        `weights` is an ONNX file, safetensors, a state dict (.pth) or a Hugging Face folder.
        What the file or its `architecture` says by itself need not be given; what is missing is
        asked for by name. `labels` are names, or a file with a name a line. `state_dict` is the key
        of the one that is meant, of a checkpoint that holds several.

        Before the version is ready a worker holds it against what its own library answers, where
        that is installed here: on the pictures of `check`, a file or a folder, or on three of our
        own. `expected` is a file of answers for those pictures instead. `check=False` leaves it
        out. Beyond the limits the version is refused, with the likely reason; `proof` has the
        figures. `on_step` is told in words what is done next, where that may take a while.

        A worker tries it out: `state` is "validating" until it has, then "ready"; the server holds
        the answer for that up to `wait` seconds (≤ 50). Raises InvalidRequest if it is refused,
        InvalidInput for what cannot be sent.
        """
        said = record_of(
            record,
            architecture=architecture,
            labels=labels,
            task=task,
            head=head,
            scale=scale,
            license_name=license_name,
        )
        with pushed(Path(weights), said, state_dict) as what:
            return self._push(_path(name), what, wait, check, expected, on_step)

    def pull(
        self,
        source: str,
        name: str | None = None,
        *,
        labels: Sequence[str] | Path | str | None = None,
        task: str | None = None,
        license_name: str | None = None,
        check: Samples | bool | None = None,
        wait: float = 0,
        on_found: Callable[[HubModel], None] | None = None,
        on_step: OnStep = _tell_nobody,
    ) -> Model:
        """Fetch a model of the Hugging Face hub to this machine, and push it.

        `source` is `timm/NAME` or `hf:OWNER/NAME`, with `@REVISION` or without; `name` is
        `my/NAME` unless given. The hub's own files say what the model is; `labels`, `task` and
        `license_name` stand over them. `on_found` is told the commit, the files and their sizes
        before they are fetched. The rest is as for `push`.

        Needs the package huggingface_hub and obeys its variables (HF_TOKEN, HF_HOME, HF_ENDPOINT).
        Raises InvalidInput for what the hub does not have or does not give, ConnectionFailed where
        it cannot be reached.
        """
        of = read_reference(source)
        said = record_of(labels=labels, task=task, license_name=license_name)
        path = _path(of.default_name if name is None else name)
        with pulled(of, said, on_found) as what:
            return self._push(path, what, wait, check, None, on_step)

    def _push(
        self,
        path: str,
        what: Pushed,
        wait: float,
        check: Samples | bool | None,
        expected: Path | str | None,
        on_step: OnStep,
    ) -> Model:
        parts = {"record": json.dumps(dict(what.record))}
        held = check_of(what, check, expected, on_step)
        if held.check is not None:
            parts["check"] = json.dumps(held.check)
        on_step(sending(what.weights))
        call = push_call(path + "/versions", what.weights, parts, wait)
        model = Model.from_raw(self._answer(call))
        if held.check is not None and check not in (None, True):
            refuse_unless_made(model, parts["check"])
        held.tell_unasked(model)
        return model

    def delete_version(self, name: str, version: int) -> Mapping[str, Any]:
        """Delete a version; jobs that run it already go on. Gives the receipt."""
        call = Call("DELETE", f"{_path(name)}/versions/{version}", repeatable=True)
        return self._answer(call)

    def aliases(self, name: str) -> list[Alias]:
        """Give the aliases of a model, with their canaries."""
        found = pages(self._transport, _path(name) + "/aliases", {})
        return [Alias.from_raw(row) for page in found for row in page.rows]

    def set_alias(
        self, name: str, alias: str, version: int, canary: Mapping[str, Any] | None = None
    ) -> Alias:
        """Make an alias name a version; with `canary`, `{version, percent, …}`, one on trial."""
        body = {"version": version} | ({} if canary is None else {"canary": canary})
        call = Call("PUT", _alias_path(name, alias), json=body, repeatable=True)
        return Alias.from_raw(self._answer(call))

    def remove_alias(self, name: str, alias: str) -> Mapping[str, Any]:
        """Remove an alias; gives the receipt."""
        return self._answer(Call("DELETE", _alias_path(name, alias), repeatable=True))

    def audit(self) -> Iterator[Mapping[str, Any]]:
        """Give who changed what, newest first; needs an operator's key."""
        for page in pages(self._transport, "/v1/audit", {}):
            yield from page.rows

    def _models(self, path: str) -> list[Model]:
        found = pages(self._transport, path, {})
        return [Model.from_raw(row) for page in found for row in page.rows]

    def _answer(self, call: Call) -> dict[str, Any]:
        return json_object(self._transport.send(call))


def _path(name: str) -> str:
    # A name may hold slashes; what else somebody typed must not reach another call, or another
    # name: a server is never shown the dots of a path.
    if not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise InvalidInput(f"{name!r} is no model's name; use one such as digits or my/cats.")
    return "/v1/models/" + quote(name, safe="/")


def _alias_path(name: str, alias: str) -> str:
    return f"{_path(name)}/aliases/{quote(alias, safe='')}"
