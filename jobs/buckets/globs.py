"""Which keys of a folder are wanted: globs, held against the key relative to the folder.

    *      anything within a segment       **     as a segment of its own: any segments, or none
    ?      one character                   [ab]   one of these; [!ab] none of these

A glob without a slash is held against the last segment alone, as in .gitignore: `*.jpg` finds
`a/b/c.jpg`. Matching takes time in proportion to the key, whatever the glob.
"""

import re
from collections.abc import Callable, Sequence
from fnmatch import translate

MOST_GLOBS = 100
LONGEST_GLOB = 512

# A segment that may be matched, or None for `**`.
_Segments = tuple[re.Pattern[str] | None, ...]


def chooser(include: Sequence[str], exclude: Sequence[str]) -> Callable[[str], bool]:
    """Give what says whether a key is wanted: included by any (or none given), excluded by none."""
    wanted, unwanted = [_compiled(each) for each in include], [_compiled(each) for each in exclude]

    def chooses(name: str) -> bool:
        if wanted and not any(matches(name) for matches in wanted):
            return False
        return not any(matches(name) for matches in unwanted)

    return chooses


def _compiled(glob: str) -> Callable[[str], bool]:
    if "/" not in glob:
        pattern = re.compile(translate(glob))
        return lambda name: pattern.match(name.rpartition("/")[2]) is not None
    parts = glob.strip("/").split("/")
    segments = tuple(None if part == "**" else re.compile(translate(part)) for part in parts)
    return lambda name: _matches(segments, name.split("/"))


def _matches(segments: _Segments, parts: Sequence[str]) -> bool:
    """Follow every way through the segments at once: each part is looked at once for each."""
    places = _past_any(segments, {0})
    for part in parts:
        reached = set[int]()
        for place in places:
            if place == len(segments):
                continue
            pattern = segments[place]
            if pattern is None:
                reached.add(place)
            elif pattern.match(part):
                reached.add(place + 1)
        places = _past_any(segments, reached)
    return len(segments) in places


def _past_any(segments: _Segments, places: set[int]) -> set[int]:
    """Add the places that are reached without a part, because `**` may stand for none."""
    found = set(places)
    for place, pattern in enumerate(segments):
        if place in found and pattern is None:
            found.add(place + 1)
    return found
