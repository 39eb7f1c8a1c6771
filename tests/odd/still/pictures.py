"""All odd pictures, by family: a table of generators. A new family is one file and one line."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache

from tests.odd.still.jpegs import jpegs
from tests.odd.still.modern import modern
from tests.odd.still.not_pictures import not_pictures
from tests.odd.still.pngs import pngs
from tests.odd.still.scene import OddPicture
from tests.odd.still.small_formats import bmps, gifs, webps
from tests.odd.still.tiffs import tiffs

FAMILIES: Mapping[str, Callable[[], Iterator[OddPicture]]] = {
    "JPEG": jpegs,
    "PNG": pngs,
    "TIFF": tiffs,
    "GIF": gifs,
    "WebP": webps,
    "BMP": bmps,
    "AVIF, HEIC and JPEG XL": modern,
    "what is no picture": not_pictures,
}


@cache
def pictures_of(family: str) -> tuple[OddPicture, ...]:
    """Give the odd pictures of a family; each is made once a process."""
    found = tuple(FAMILIES[family]())
    assert len({each.name for each in found}) == len(found), f"{family}: two have one name"
    return found
