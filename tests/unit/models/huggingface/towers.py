"""Networks with two towers, and a tokenizer to spoil."""

from benchmarks.parity.compared import Pixels
from benchmarks.parity.compared import pictures as pictures_of
from benchmarks.parity.hugging_face.rows import SIZES
from models.runtime import weights as weights_file
from models.runtime.registry import load

KINDS = ("clip", "siglip")

TEXTS = [
    "This is a photo of a cat.",
    "photo",
    "Two  DOGS, don't you think?",
    "Ünïcödé – ▁ 12\u00a0345 😀",
    "",
    " x ",
]


def pictures() -> list[Pixels]:
    return pictures_of(SIZES)


def loaded(sent):
    record, tensors = sent
    return load(record, weights_file.write(tensors))
