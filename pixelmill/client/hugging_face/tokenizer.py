"""A folder's tokenizer, for models whose jobs bring labels of their own.

    tokenizer.json            how texts are cut ─► sent as a tensor of bytes, beside the weights
    vocab.json, merges.txt    the same of older CLIP folders, which is written out
    tokenizer_config.json     how texts are filled up ─► record["options"]["tokenizer"]

All of it is data; what of it can be run is for the server to say.
"""

import json
from pathlib import Path
from typing import Any, Final

from pixelmill.client.hugging_face.json_files import read_bytes, read_json
from pixelmill.wire.errors import InvalidInput

# The name by which a worker finds it among the tensors.
TENSOR: Final = "pixelmill.tokenizer"
# That of SigLIP 2, with 256,000 words, has 34 MB.
_MOST_BYTES = 64 * 2**20
_OPTIONS = ("model_input_names", "padding_side")
# How CLIP cuts texts, whatever the folder: what was saved before there was a tokenizer.json.
_CLIP_WORDS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)
_BEGIN, _END = "<|startoftext|>", "<|endoftext|>"


def read_tokenizer(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Give a folder's tokenizer as a tokenizer.json, and the settings of its tokenizer_config.json.

    Raises InvalidInput, in one line, for a folder without one, and for files that cannot be read.
    """
    return _tokenizer(path), _options(path)


def _tokenizer(path: Path) -> bytes:
    whole = read_bytes(path / "tokenizer.json", _MOST_BYTES)
    if whole is not None:
        return whole
    words = read_json(path / "vocab.json", _MOST_BYTES)
    merges = read_bytes(path / "merges.txt", _MOST_BYTES)
    if words is not None and merges is not None:
        return json.dumps(_of_clip(path, words, merges)).encode()
    if (path / "spiece.model").is_file():
        raise InvalidInput(
            f"{path} has its tokenizer as spiece.model alone, which is not read; add the "
            "tokenizer.json that is published for this model."
        )
    raise InvalidInput(
        f"{path} has no tokenizer (tokenizer.json, or vocab.json with merges.txt), without which "
        "no label can be read; add it, or leave out --task to have vectors of pictures."
    )


def _options(path: Path) -> dict[str, Any]:
    """Read how texts are filled up; a token may stand there by itself or with its properties."""
    config = read_json(path / "tokenizer_config.json") or {}
    told = {name: config[name] for name in _OPTIONS if config.get(name) is not None}
    pad = config.get("pad_token")
    if pad is None:
        pad = (read_json(path / "special_tokens_map.json") or {}).get("pad_token")
    pad = pad.get("content") if isinstance(pad, dict) else pad
    return told | ({} if pad is None else {"pad_token": pad})


def _of_clip(path: Path, words: dict[str, Any], merges: bytes) -> dict[str, Any]:
    """Write out CLIP's tokenizer around its words and merges; raises InvalidInput."""
    if not {_BEGIN, _END} <= words.keys():
        raise InvalidInput(
            f"{path / 'vocab.json'} lacks {_BEGIN} or {_END}: it is none of CLIP's; save the "
            "tokenizer as tokenizer.json."
        )
    try:
        lines = merges.decode().splitlines()
    except UnicodeDecodeError as err:
        raise InvalidInput(f"{path / 'merges.txt'} is no text: {err}.") from err
    pairs = [line.split(" ") for line in lines if line and not line.startswith("#version")]
    return {
        "version": "1.0",
        "added_tokens": [_special(words, token) for token in (_BEGIN, _END)],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "NFC"},
                {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
                {"type": "Lowercase"},
            ],
        },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": _CLIP_WORDS},
                    "behavior": "Removed",
                    "invert": True,
                },
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
            ],
        },
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": [_END, words[_END]],
            "cls": [_BEGIN, words[_BEGIN]],
            "trim_offsets": False,
            "add_prefix_space": False,
        },
        "model": {
            "type": "BPE",
            "unk_token": _END,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>",
            "fuse_unk": False,
            "vocab": words,
            "merges": pairs,
        },
    }


def _special(words: dict[str, Any], token: str) -> dict[str, Any]:
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
    return {"id": words[token], "content": token, **plain, "normalized": True, "special": True}
