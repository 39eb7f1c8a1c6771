"""From the name of a model of the hub to what is pushed: its weights, and its record."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pixelmill.client.hub.fetching import check_room, fetch
from pixelmill.client.hub.library import open_hub
from pixelmill.client.hub.listing import CARD, CONFIG, INDEX, WEIGHTS, HubModel, find
from pixelmill.client.hub.parts import join_parts
from pixelmill.client.hub.references import Reference
from pixelmill.client.hub.timm_settings import read_timm_config
from pixelmill.client.hugging_face_folder import read_card, read_folder, read_json
from pixelmill.client.pushing import Pushed, with_said
from pixelmill.wire.errors import InvalidInput

OnFound = Callable[[HubModel], None]


@contextmanager
def pulled(
    of: Reference,
    said: Mapping[str, Any],
    on_found: OnFound | None = None,
    *,
    endpoint: str | None = None,
    cache: Path | None = None,
) -> Iterator[Pushed]:
    """Fetch a model of the hub and give it as it is pushed; the library's cache keeps its files.

    `said` are the members of the record that the caller gave; `on_found` is told what there is
    before it is fetched. Raises InvalidInput, ConnectionFailed, UnexpectedAnswer or NotConfigured.
    """
    with tempfile.TemporaryDirectory(prefix="pixelmill-") as name:
        folder = Path(name)
        with open_hub(endpoint, cache) as hub:
            model = find(hub, of)
            if on_found is not None:
                on_found(model)
            fetch(hub, of, model, folder)
        with _named(of, folder):
            if model.parts:
                _join(model, folder)
            record = _record(model, folder)
        yield Pushed((folder / WEIGHTS).resolve(), with_said(record, said), folder)


@contextmanager
def _named(of: Reference, folder: Path) -> Iterator[None]:
    """Have refusals speak of the repository, not of the folder that it lies in for a moment."""
    try:
        yield
    except InvalidInput as err:
        told = str(err).replace(f"{folder}/", "").replace(str(folder), str(of))
        raise InvalidInput(f"{of} cannot be used: {told}") from err


def _join(model: HubModel, folder: Path) -> None:
    sizes = {file.name: file.size for file in model.files}
    check_room(
        sum(sizes[name] for name in model.parts),
        folder,
        "free some, or set TMPDIR to a folder elsewhere",
    )
    index = read_json(folder / INDEX) or {}
    join_parts(index, [folder / name for name in model.parts], folder / WEIGHTS)


def _record(model: HubModel, folder: Path) -> dict[str, Any]:
    """Read the settings of either library, and say where they are from."""
    config = read_json(folder / CONFIG) or {}
    card = read_card(folder / CARD)
    provenance = {
        "source": model.source,
        "license": model.license or _of_timm(config, "license"),
        "author": model.repository.partition("/")[0],
    }
    if "model_type" in config:
        _, record = read_folder(folder)
    elif "architecture" in config:
        record = read_timm_config(config)
    else:
        raise InvalidInput(
            f"{CONFIG} has neither model_type, as transformers writes it, nor architecture, as "
            f"timm does: {json.dumps(sorted(config))[:200]}."
        )
    told = {name: value for name, value in provenance.items() if value}
    return {**record, "provenance": {**told, **card}}


def _of_timm(config: Mapping[str, Any], member: str) -> str | None:
    published = config.get("pretrained_cfg")
    found = published.get(member) if isinstance(published, Mapping) else None
    return found[:200] if isinstance(found, str) else None
