"""What a document tells its reader to type: its blocks of code, and the commands of its tables."""

import re
from dataclasses import dataclass

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"`(pixelmill [^`]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Example:
    """Something to run: `place` is its heading and its number below it."""

    place: str
    language: str
    text: str


def examples(text: str) -> list[Example]:
    """Give all blocks and all commands of tables, in their order."""
    found = [(each.start(), each[1], each[2]) for each in _BLOCK.finditer(text)]
    found += [(start, "bash", command) for start, command in _commands(text, in_tables=True)]
    placed = [(_heading(text, start), language, code) for start, language, code in sorted(found)]
    numbers: dict[str, int] = {}
    made = []
    for heading, language, code in placed:
        numbers[heading] = numbers.get(heading, 0) + 1
        made.append(Example(f"{heading} {numbers[heading]}", language, code))
    return made


def commands_in_sentences(text: str) -> list[str]:
    """Give the commands that stand in sentences, where words in capitals stand for others."""
    return [command for _, command in _commands(text, in_tables=False)]


def fences(text: str) -> int:
    """Count the blocks by their fences alone, however they are written."""
    return len(re.findall(r"^\s*(?:```|~~~)", text, re.MULTILINE)) // 2


def _commands(text: str, *, in_tables: bool) -> list[tuple[int, str]]:
    # What stands in a block is no span; blanks keep the places.
    bare = _BLOCK.sub(lambda block: re.sub(r"[^\n]", " ", block[0]), text)
    found, start = [], 0
    for line in bare.splitlines(keepends=True):
        if line.startswith("|") == in_tables:
            found += [(start + each.start(), each[1]) for each in _SPAN.finditer(line)]
        start += len(line)
    return found


def _heading(text: str, place: int) -> str:
    return [each[1] for each in _HEADING.finditer(text, 0, place)][-1]
