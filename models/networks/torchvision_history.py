"""Names that torchvision's published weights bear and its networks have left behind.

Many files were published before a part was rebuilt; torchvision renames their tensors while it
loads them (`_load_from_state_dict` in its detectors and its vision transformer, `_load_state_dict`
in its DenseNet). Safetensors keep no versions by which that could be decided, so it is done here.
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

Value = TypeVar("Value")

# Old form and new form of a name, in the order in which they are tried.
_RENAMED: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.\w+)$"), r"\1\2"),
    (re.compile(r"((?:inner|layer)_blocks\.\d+)\.(weight|bias)$"), r"\1.0.\2"),
    (re.compile(r"(rpn\.head\.conv)\.(weight|bias)$"), r"\1.0.0.\2"),
    (
        re.compile(r"(mask_head)\.mask_fcn(\d)\.(weight|bias)$"),
        lambda found: f"{found[1]}.{int(found[2]) - 1}.0.{found[3]}",
    ),
    # RetinaNet's convolutions had every second place; between them stood the ReLUs.
    (
        re.compile(r"(head\.(?:classification|regression)_head\.conv)\.([0246])\.(weight|bias)$"),
        lambda found: f"{found[1]}.{int(found[2]) // 2}.0.{found[3]}",
    ),
    (
        re.compile(r"(mlp)\.linear_([12])\.(weight|bias)$"),
        lambda found: f"{found[1]}.{3 * (int(found[2]) - 1)}.{found[3]}",
    ),
)


def with_modern_names(tensors: Mapping[str, Value]) -> dict[str, Value]:
    """Rename what is named in an old way; only for tensors whose names do not fit as they are."""
    return {_modern(name): value for name, value in tensors.items()}


def _modern(name: str) -> str:
    for old, new in _RENAMED:
        renamed, count = old.subn(new, name)
        if count:
            return renamed
    return name
