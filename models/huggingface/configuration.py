"""A config.json as strangers send it: checked as data, and made into transformers' own object.

    options.config ─► bounds ─► kind on the list ─► settings that its class has ─► PreTrainedConfig

Of the settings only those are handed on that the kind's own class declares: they say how a network
is built, and no more. All others are dropped, for most folders carry some that nobody reads any
more. What would have transformers fetch a file, run a folder's code or change its own code is
refused, wherever it stands. Nothing here touches the disk or the network.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from models.huggingface.bounds import check_bounds
from models.huggingface.library import transformers
from models.huggingface.model_types import PARTS, WITH_TIMM_BACKBONE, model_type_of
from models.records.errors import RecordError
from models.records.record import ModelRecord

# Settings that are no numbers of a network: refused with their reason, in parts of a config too.
_REFUSED: Mapping[str, str] = {
    "auto_map": "it names Python code of the folder, which is never run",
    "custom_pipelines": "it names Python code of the folder, which is never run",
    "trust_remote_code": "code of a folder is never run",
    "quantization_config": "quantised weights are not read; save them as float32 or float16",
    "compression_config": "quantised weights are not read; save them as float32 or float16",
    "adapters": "adapters are not read; merge them into the weights first",
    "peft_config": "adapters are not read; merge them into the weights first",
    "fusion_config": "it changes transformers' own code",
    "kernel_config": "it names code to download",
    "transformers_weights": "it names another file",
    "per_layer_config": "layers that differ are not built",
}
# Beside what a class declares; of what all classes share, these alone make a difference to answers.
_SHARED = ("id2label", "num_labels")
# Saved under these names, declared under others (transformers.backbone_utils).
_BACKBONE_SETTINGS = ("out_features", "out_indices")
# A name of timm's, not "hf-hub:…" or "local-dir:…", which would fetch and read files.
_TIMM_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)?")


def options_of(record: ModelRecord | Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Give `options.config` and `options.processor` of a record; raises RecordError.

    The processor's settings are empty where there are none.
    """
    options = record.options if isinstance(record, ModelRecord) else record.get("options") or {}
    if not isinstance(options, Mapping) or set(options) - {"config", "processor", "tokenizer"}:
        raise RecordError(
            "The record's options must be `config`, what config.json holds, `processor`, what "
            "preprocessor_config.json holds, and for texts `tokenizer`, of tokenizer_config.json."
        )
    config, processor = options.get("config"), options.get("processor") or {}
    if not config:
        raise RecordError(
            "The record's options lack `config`, what the folder's config.json holds."
        )
    check_bounds(config, "config.json")
    check_bounds(processor, "preprocessor_config.json")
    _refuse_dangers(config, "config.json")
    _refuse_dangers(processor, "preprocessor_config.json")
    return config, dict(processor)


def tokenizer_options(record: ModelRecord) -> Mapping[str, Any]:
    """Give `options.tokenizer` of a record, empty where there is none; raises RecordError."""
    given = record.options.get("tokenizer") or {}
    check_bounds(given, "tokenizer_config.json")
    return dict(given)


def check_architecture(architecture: str, config: Mapping[str, Any]) -> None:
    """Refuse a record whose architecture is another than its config's; raises RecordError."""
    wanted = f"huggingface/{model_type_of(config).name}"
    if architecture != wanted:
        raise RecordError(
            f"The record's architecture is {architecture!r}, and its config.json is one of "
            f"{wanted!r}; write that."
        )


def read_config(config: Mapping[str, Any], with_texts: bool = False) -> Any:
    """Make transformers' configuration of a checked config.json; raises RecordError.

    Without `with_texts` that of a text tower is left at its default: it is never built then.
    """
    kind = model_type_of(config)
    left_out = frozenset() if with_texts else frozenset({"text_config"})
    return _configuration(config, kind.name, "config.json", left_out)


def label_count(config: Mapping[str, Any]) -> int:
    """Say how many classes a config names; two where it names none, as transformers has it."""
    names = config.get("id2label")
    if isinstance(names, Mapping):
        return len(names)
    given = config.get("num_labels", 2)
    return given if isinstance(given, int) else 2


def _refuse_dangers(plain: Any, what: str) -> None:
    if isinstance(plain, list | tuple):
        for each in plain:
            _refuse_dangers(each, what)
    if not isinstance(plain, Mapping):
        return
    for name, value in plain.items():
        reason = _REFUSED.get(name)
        if reason is not None and value not in (None, False, {}, []):
            raise RecordError(f"{what} has the setting {name!r}: {reason}.")
        _refuse_dangers(value, what)


def _configuration(
    plain: Mapping[str, Any], model_type: str, what: str, left_out: frozenset[str] = frozenset()
) -> Any:
    library = transformers()
    made = library.models.auto.configuration_auto.CONFIG_MAPPING[model_type]
    given = {name: plain[name] for name in plain if name in _settings_of(made)}
    given |= _backbone(plain, model_type, what)
    for name in [each for each in given if each.endswith("_config")]:
        given[name] = None if name in left_out else _part(given[name], name, made, what)
    given = {name: given[name] for name in given if name not in _SHARED or given[name] is not None}
    try:
        return made(**given)
    except RecordError:
        raise
    except Exception as err:  # transformers raises whatever its check of a setting happens to
        raise RecordError(
            f"{what} makes no {model_type}: {' '.join(str(err).split())[:300]}."
        ) from err


def _settings_of(made: Any) -> set[str]:
    """Name the settings that a configuration class declares itself."""
    library = transformers()
    shared = {each.name for each in dataclasses.fields(library.PreTrainedConfig)}
    declared = {each.name for each in dataclasses.fields(made)} - shared
    if hasattr(made, "set_output_features_output_indices"):
        declared |= set(_BACKBONE_SETTINGS)
    aliases = set(made.attribute_map)
    return {each for each in declared | aliases if not each.startswith("_")} | set(_SHARED)


def _part(plain: Any, name: str, made: Any, what: str) -> Any:
    """Make the configuration of a part, such as a backbone."""
    if plain is None:
        return None
    spec = made.sub_configs_defaults.get(name)
    model_type = plain.get("model_type") if isinstance(plain, Mapping) else None
    if model_type is None and spec is not None:
        model_type = spec.model_type
    if not isinstance(plain, Mapping) or model_type not in PARTS:
        raise RecordError(f"{what}: {name} is of a kind {str(model_type)[:60]!r} that is not run.")
    if model_type == "timm_backbone":
        _check_timm_name(plain.get("backbone"), what)
    return _configuration(plain, model_type, f"{what}: {name}")


def _backbone(plain: Mapping[str, Any], model_type: str, what: str) -> dict[str, Any]:
    """Read how older configs name a backbone: built untrained by timm, or refused.

    Its weights lie in the folder's own file with all others, so that `use_pretrained_backbone`,
    which most of them have, is never followed.
    """
    name = plain.get("backbone")
    if name is None or plain.get("backbone_config") is not None or model_type == "timm_backbone":
        return {}
    if model_type not in WITH_TIMM_BACKBONE or plain.get("use_timm_backbone") is False:
        raise RecordError(
            f"{what}: backbone {str(name)[:80]!r} would be fetched from a hub. Load the network "
            "with transformers 5 and save it again, which writes a backbone_config instead."
        )
    _check_timm_name(name, what)
    return {"backbone": name, "use_timm_backbone": True}


def _check_timm_name(name: Any, what: str) -> None:
    if not isinstance(name, str) or not _TIMM_NAME.fullmatch(name):
        raise RecordError(f"{what}: backbone {str(name)[:80]!r} is no network of timm.")
