"""From the name of a model of the hub to what is pushed: its weights, and its record."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pixelmill.client.hub.fetching import fetch
from pixelmill.client.hub.library import open_hub
from pixelmill.client.hub.listing import CARD, CONFIG, HubModel, find
from pixelmill.client.hub.references import Reference
from pixelmill.client.hub.timm_settings import read_timm_config
from pixelmill.client.hugging_face.folder import read_card, read_folder
from pixelmill.client.hugging_face.json_files import read_json
from pixelmill.client.hugging_face.weights import read_weights
from pixelmill.client.registering.pushing import Pushed, with_said
from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.safetensors_stream import Joined

# The task whose models read texts.
_OF_TEXTS = "zero-shot-classification"

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
            task = said.get("task")
            model = find(hub, of, reads_texts=task == _OF_TEXTS)
            if on_found is not None:
                on_found(model)
            fetch(hub, of, model, folder)
        with _named(of, folder):
            weights, record = _read(model, folder, task)
        if isinstance(weights, Path):
            weights = weights.resolve()
        yield Pushed(weights, with_said(record, said), folder)


@contextmanager
def _named(of: Reference, folder: Path) -> Iterator[None]:
    """Have refusals speak of the repository, not of the folder that it lies in for a moment."""
    try:
        yield
    except InvalidInput as err:
        told = str(err).replace(f"{folder}/", "").replace(str(folder), str(of))
        raise InvalidInput(f"{of} cannot be used: {told}") from err


def _read(model: HubModel, folder: Path, task: str | None) -> tuple[Path | Joined, dict[str, Any]]:
    """Read weights and settings of either library, and say where they are from."""
    config = read_json(folder / CONFIG) or {}
    card = read_card(folder / CARD)
    provenance = {
        "source": model.source,
        "license": model.license or _of_timm(config, "license"),
        "author": model.repository.partition("/")[0],
    }
    if "model_type" in config:
        weights, record = read_folder(folder, task)
    elif "architecture" in config:
        weights, record = read_weights(folder, config, {}), read_timm_config(config)
    else:
        raise InvalidInput(
            f"{CONFIG} has neither model_type, as transformers writes it, nor architecture, as "
            f"timm does: {json.dumps(sorted(config))[:200]}."
        )
    told = {name: value for name, value in provenance.items() if value}
    return weights, {**record, "provenance": {**told, **card}}


def _of_timm(config: Mapping[str, Any], member: str) -> str | None:
    published = config.get("pretrained_cfg")
    found = published.get(member) if isinstance(published, Mapping) else None
    return found[:200] if isinstance(found, str) else None
