"""Which of a film's streams is the film."""

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from models.media.films.source import could_not_be_opened
from models.records.errors import UnsupportedMedia

# Pictures that stand beside the film: a cover, thumbnails to leaf through, layers of another track.
_BESIDE = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.dependent


def choose_stream(container: InputContainer, kind: str) -> VideoStream:
    """Take the default picture track, then the largest, then the first.

    Raises UnsupportedMedia where there is none (naming what there is), VideoDecodeFailed where none
    can be decoded.
    """
    films = [each for each in container.streams.video if not each.disposition & _BESIDE]
    if not films:
        raise UnsupportedMedia(_without_film(container, kind))
    decodable = [each for each in films if each.codec_context is not None]
    if not decodable:
        raise could_not_be_opened(kind)
    return max(decodable, key=_rank)


def _rank(stream: VideoStream) -> tuple[bool, int, int]:
    is_default = bool(stream.disposition & Disposition.default)
    return is_default, stream.width * stream.height, -stream.index


def _without_film(container: InputContainer, kind: str) -> str:
    if container.streams.video:
        what = "sound with a cover picture" if container.streams.audio else "a cover picture alone"
    else:
        what = "sound alone" if container.streams.audio else "a file without picture or sound"
    return f"This {kind} file has no film in it: it is {what}. Send a file with a picture track."
