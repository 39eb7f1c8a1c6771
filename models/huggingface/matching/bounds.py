"""What a tokenizer.json may ask for, held against a list before a tokenizer is made of it.

A few bytes may have a text grow a thousandfold, step after step, or have a row padded to gigabytes.
All that a tokenizer does beside looking words up is held against a list of parts whose growth is
known; how long texts are at most is bounded elsewhere (models/contracts). Needs no library.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any

from models.records.errors import WeightsError

# That of SigLIP 2, with 256,000 words, has 34 MB.
MOST_BYTES = 64 * 2**20
_MODELS = ("BPE", "Unigram", "WordLevel", "WordPiece")
_NORMALIZERS = frozenset(
    {"BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled", "Prepend"}
    | {"Replace", "Sequence", "Strip", "StripAccents"}
)
_PRE_TOKENIZERS = frozenset(
    {"BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "Metaspace", "Punctuation"}
    | {"Sequence", "Split", "UnicodeScripts", "Whitespace", "WhitespaceSplit"}
)
_POST_PROCESSORS = frozenset(
    {"BertProcessing", "ByteLevel", "RobertaProcessing", "Sequence", "TemplateProcessing"}
)
_PARTS = {
    "normalizer": _NORMALIZERS,
    "pre_tokenizer": _PRE_TOKENIZERS,
    "post_processor": _POST_PROCESSORS,
}
_MOST_ADDED_TOKENS = 10_000
# Published ones have up to a dozen steps, in a few hundred bytes; a table of letters beside them.
_MOST_STEPS, _MOST_STEP_BYTES, _MOST_TABLE_BYTES = 32, 64 * 2**10, 2 * 2**20
# Of all steps together: by how much they may lengthen a text.
_MOST_GROWTH = 4096
# U+FDFA becomes 18 letters; no other one more.
_LONGEST_LETTER = 64
_MOST_SPECIAL_TOKENS = 16


def checked(data: bytes) -> dict[str, Any]:
    """Give a tokenizer.json's parts, without those that are never used; raises WeightsError."""
    if len(data) > MOST_BYTES:
        raise WeightsError(
            f"The tokenizer has {len(data):,} bytes; at most {MOST_BYTES:,} are read."
        )
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError) as err:
        raise WeightsError(f"The folder's tokenizer.json is no JSON: {err}.") from err
    if not isinstance(plain, dict) or not isinstance(plain.get("model"), dict):
        raise WeightsError("The folder's tokenizer.json holds no tokenizer: it has no `model`.")
    # Older files leave the kind out of a BPE.
    kind = plain["model"].get("type", "BPE")
    if kind not in _MODELS:
        raise _refused(f"a model {str(kind)[:60]!r}, which is none of {', '.join(_MODELS)}")
    if plain["model"].get("dropout"):
        raise _refused("a dropout, which cuts the same text differently each time")
    if len(plain.get("added_tokens") or ()) > _MOST_ADDED_TOKENS:
        raise _refused(f"more than {_MOST_ADDED_TOKENS:,} added_tokens")
    growth = 1
    for name, known in _PARTS.items():
        growth *= _growth_of(plain.get(name), name, known)
    if growth > _MOST_GROWTH:
        raise _refused(f"steps that may lengthen a text {growth:,} times")
    # Padding and truncation are the processor's, and come from elsewhere; nothing is decoded.
    unused = {"padding": None, "truncation": None, "decoder": None}
    return {**plain, **unused}


def _growth_of(part: Any, name: str, known: frozenset[str]) -> int:
    """Say by how much the steps of a part may lengthen a text; raises WeightsError."""
    growth, size = 1, 0
    steps = list(_steps(part, name))
    if len(steps) > _MOST_STEPS:
        raise _refused(f"a {name} of {len(steps)} steps")
    for step in steps:
        kind = step.get("type")
        if kind not in known:
            raise _refused(f"a {name} {str(kind)[:60]!r}, which is none that is known here")
        if kind == "Precompiled":
            _check_table(step)
            growth *= _LONGEST_LETTER
        elif kind != "Sequence":
            size += len(json.dumps(step))
            growth *= _growth_of_step(kind, step)
    if size > _MOST_STEP_BYTES:
        raise _refused(f"a {name} of {size:,} bytes")
    return growth


def _steps(part: Any, name: str) -> Iterator[Mapping[str, Any]]:
    """Yield all steps of a part, those within others too, each before its own."""
    waiting = [part] if part is not None else []
    while waiting:
        step = waiting.pop()
        if not isinstance(step, Mapping):
            raise _refused(f"a {name} that is no object")
        yield step
        for member in ("normalizers", "pretokenizers", "processors"):
            inner = step.get(member) or []
            if not isinstance(inner, list):
                raise _refused(f"a {name} whose {member} are no list")
            waiting += inner


def _growth_of_step(kind: str, step: Mapping[str, Any]) -> int:
    if kind == "Replace":
        # A pattern may fit at every place of a text, and between two.
        return 1 + len(str(step.get("content", "")))
    if kind == "Prepend":
        return 1 + len(str(step.get("prepend", "")))
    if kind == "TemplateProcessing":
        _check_template(step)
    return 1


def _check_template(step: Mapping[str, Any]) -> None:
    pieces = step.get("single") or []
    tokens = step.get("special_tokens") or {}
    if not isinstance(pieces, list) or not isinstance(tokens, Mapping):
        raise _refused("a post_processor that is no template")
    longest = max(
        (len(each.get("ids") or ()) for each in tokens.values() if isinstance(each, Mapping)),
        default=0,
    )
    if len(pieces) > _MOST_SPECIAL_TOKENS or longest > _MOST_SPECIAL_TOKENS:
        raise _refused("a post_processor that adds more tokens than texts have")


def _check_table(step: Mapping[str, Any]) -> None:
    """Hold a table of letters against what one may become: SentencePiece's format.

    Four bytes with the length of a trie, the trie, and the replacements, each ended by a zero.
    """
    given = step.get("precompiled_charsmap")
    if not isinstance(given, str) or len(given) > _MOST_TABLE_BYTES:
        raise _refused("a table of letters that is none, or is too large")
    try:
        table = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError) as err:
        raise _refused("a table of letters that is no base64") from err
    replacements = table[4 + int.from_bytes(table[:4], "little") :]
    if any(len(each) > _LONGEST_LETTER for each in replacements.split(b"\0")):
        raise _refused(f"a table that makes more than {_LONGEST_LETTER} bytes of one letter")


def _refused(what: str) -> WeightsError:
    return WeightsError(f"The folder's tokenizer.json has {what}.")
