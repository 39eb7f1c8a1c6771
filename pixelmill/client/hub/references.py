"""How a caller names a model of the Hugging Face hub.

timm/resnet18.a1_in1k                 the repository of that name, as it is now
hf:google/vit-base-patch16-224        any repository
hf:google/vit-base-patch16-224@v2     at a branch, a tag or a commit
"""

import re
from dataclasses import dataclass

from pixelmill.wire.errors import InvalidInput

_PREFIX, _TIMM = "hf:", "timm/"
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_REVISION = re.compile(r"[\w./-]{1,200}", re.ASCII)
# What neither a repository nor a revision has, and a path would understand.
_FORBIDDEN = ("..", "--", "//")
# As long as one part of a model's name can be.
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Reference:
    """A repository of the hub, `owner/name`, and a revision of it; None is the newest."""

    repository: str
    revision: str | None = None

    def __str__(self) -> str:
        return self.repository if self.revision is None else f"{self.repository}@{self.revision}"

    @property
    def default_name(self) -> str:
        """What the model is called here unless the caller says otherwise."""
        return "my/" + self.repository.partition("/")[2].lower()[:_LONGEST_NAME]


def read_reference(text: str) -> Reference:
    """Read `timm/NAME` or `hf:OWNER/NAME`, with `@REVISION` or without; raises InvalidInput."""
    named = text.removeprefix(_PREFIX)
    repository, at, revision = named.partition("@")
    is_named = text.startswith((_PREFIX, _TIMM)) and _REPOSITORY.fullmatch(repository)
    is_at = not at or _REVISION.fullmatch(revision)
    if not is_named or not is_at or any(each in named for each in _FORBIDDEN):
        raise InvalidInput(
            f"{text!r} names no model of the hub: write timm/NAME or hf:OWNER/NAME, with @REVISION "
            "behind it for another commit than the newest."
        )
    return Reference(repository, revision or None)
