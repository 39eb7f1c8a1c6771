"""What a training decodes with: processes behind walls (`models.training.examples.Decoders`)."""

from collections.abc import Callable, Generator

from models.media.films import Frame
from models.media.memory import Pixels
from models.media.pictures import Picture
from models.media.sampling import Sampling
from models.records.errors import InputError
from models.records.record import Limits
from workers.engine.decoding.decoder import Pictures
from workers.walls.films import FilmDecoders, FilmError, spooled_film
from workers.walls.pictures import Asked, Packed


class WalledDecoders:
    """Decodes one example at a time; safe to share between threads."""

    def __init__(
        self, pictures: Pictures, films: FilmDecoders, beat: Callable[[], None] = lambda: None
    ) -> None:
        """Call `beat` whenever there is progress."""
        self._pictures, self._films, self._beat = pictures, films, beat

    def picture(self, content: bytes, channels: int, limits: Limits) -> Picture:
        """Decode a picture; raises InputError."""
        packed, asked = Packed(content, "raw", len(content)), Asked(channels, limits)
        found: Picture | None = None
        why = ""
        for decoded in self._pictures.decode([packed], asked, self._beat):
            if (given := decoded.picture) is not None:
                pixels: Pixels = given.pixels.copy()
                found = Picture(pixels, given.width, given.height)
            elif decoded.error is not None:
                why = decoded.error.message
        if found is None:
            raise InputError(why)
        return found

    def frames(self, content: bytes, sampling: Sampling, limits: Limits) -> Generator[Frame]:
        """Decode the sampled frames of a film; raises InputError."""
        try:
            with spooled_film(self._films, content, limits, self._beat) as film:
                for frame in film.steps(sampling):
                    self._beat()
                    if frame is not None:
                        yield frame
        except FilmError as err:
            raise InputError(err.error.message) from err
