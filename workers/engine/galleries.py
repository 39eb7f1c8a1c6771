"""Makes small pictures that somebody opened, of jobs that keep none (jobs.results.opened).

An errand of inference workers, for they have the decoders; one at a time in each process, beside
the shards. Whatever is wrong with an item costs its picture.
"""

import threading
from collections.abc import Callable

import structlog

from jobs.archives import ArchiveError, extract
from jobs.base.bootstrap import Ground
from jobs.base.errors import UnknownModel
from jobs.base.storage import BlobMissing, StorageError, opened_name
from jobs.inputs.manifests import Item, Manifest
from jobs.leases.leases import Lease, LeaseLost, fail, is_due
from jobs.leases.renewing import Heart
from jobs.leases.working import work_on_next
from jobs.results.opened import OPENED, end_opened, job_of
from jobs.results.segments import ItemError
from jobs.tables import Job, OpenedPictures
from jobs.versions.registry import read_version
from models.answers.contact_sheet import ContactSheet
from models.answers.thumbnails import LONGEST_SIDE, thumbnail
from models.media.sampling import Sampling
from models.records.record import Limits
from workers.engine.decoding.decoder import Pictures, packed
from workers.engine.holding.requester import Requester
from workers.engine.reading.reader import Reader
from workers.engine.thumbnails import Thumbnails
from workers.walls.films import FilmDecoders, FilmError, spooled_film
from workers.walls.pictures import Asked
from workers.walls.processes import ProcessDied

log = structlog.get_logger(__name__)

Bytes = bytes | memoryview
Beat = Callable[[], None]
# Makes a small picture of an item's bytes, as they are stored; None where it has none.
Small = Callable[[Item, Bytes, Beat], bytes | None]

_ASKED = Asked(3, Limits(), LONGEST_SIDE)
# Of films; a strip shows no more of one.
_SAMPLING = Sampling(fps=2)


class Galleries:
    """Makes what was asked for; safe to share between threads."""

    def __init__(
        self, ground: Ground, reader: Reader, pictures: Pictures, films: FilmDecoders
    ) -> None:
        self._ground, self._reader, self._pictures, self._films = ground, reader, pictures, films
        self._making = threading.Lock()

    def has_work(self) -> bool:
        """Say whether pictures were asked for; a read that disturbs nobody."""
        return is_due(self._ground.database, OPENED)

    def make_all(self, stops: Callable[[], bool]) -> None:
        """Make all that was asked for, until `stops` says so."""
        while self.has_work() and not stops() and self.make_next():
            pass

    def make_next(self) -> bool:
        """Make those that were asked for first; False when none are, or another thread is at it."""
        if not self._making.acquire(blocking=False):
            return False
        try:
            return work_on_next(self._ground, OPENED, self._make) is not None
        except StorageError as err:
            log.warning("gallery_waits_for_storage", error=str(err))
            return False
        finally:
            self._making.release()

    def _make(self, lease: Lease[OpenedPictures]) -> None:
        job = job_of(self._ground, lease)
        if job is None or job.manifest is None or lease.is_used_up(self._ground.settings):
            end_opened(self._ground, lease, None)
            return
        row = lease.row
        name = opened_name(job.id, row.first, lease.fence)
        kept = Thumbnails(row.first, row.count)
        try:
            self._fill(kept, job, lease)
            kept.write(self._ground.storage, name)
            self._end(lease, name)
        except BlobMissing:
            # The manifest went with its job, or what the items lie in.
            end_opened(self._ground, lease, None)
        except ProcessDied as err:
            log.warning("gallery_waits_for_a_decoder", job=job.id, error=repr(err))
            fail(self._ground, lease)
        finally:
            kept.close()
        log.info("gallery_made", job=job.id, first=row.first, pictures=row.count)

    def _end(self, lease: Lease[OpenedPictures], name: str) -> None:
        try:
            end_opened(self._ground, lease, name)
        except LeaseLost:
            self._ground.storage.delete([name])
            raise

    def _fill(self, kept: Thumbnails, job: Job, lease: Lease[OpenedPictures]) -> None:
        heart = Heart(self._ground, lease)
        small = self._strip if self._is_of_films(job) else self._picture
        assert job.manifest is not None
        items = Manifest(self._ground.storage, job.manifest).items(lease.row.first, lease.row.count)
        for index, item in enumerate(items, start=lease.row.first):
            heart.beat()
            # An address is not called again to show something.
            if item.encoding in ("url", "refused"):
                continue
            if (made := self._made(item, small, heart.beat)) is not None:
                kept.add({index: made})

    def _made(self, item: Item, small: Small, beat: Beat) -> bytes | None:
        requester = Requester(beat=beat)
        (content,) = self._reader.read([item], _ASKED.limits.max_bytes, requester)
        if isinstance(content, ItemError):
            return None
        try:
            return small(item, content, beat)
        except (LeaseLost, ProcessDied):
            raise
        except (ArchiveError, FilmError):
            return None
        except Exception:  # whatever cannot be made small costs its picture alone
            log.exception("thumbnail_not_made")
            return None

    def _picture(self, item: Item, content: Bytes, beat: Beat) -> bytes | None:
        for decoded in self._pictures.decode([packed(item, content)], _ASKED, beat):
            if decoded.picture is not None:
                return thumbnail(decoded.picture.pixels)
        return None

    def _strip(self, item: Item, content: Bytes, beat: Beat) -> bytes | None:
        film = content
        if item.encoding in ("zip", "sparse"):
            film = extract(content, item.encoding, _ASKED.limits.max_bytes, item.size)
        sheet = ContactSheet()
        with spooled_film(self._films, bytes(film), _ASKED.limits, beat) as video:
            for frame in video.steps(_SAMPLING):
                beat()
                if frame is not None:
                    sheet.add(frame)
        return sheet.strip_jpeg(video.facts.duration_ms or sheet.times[-1]) if sheet.times else None

    def _is_of_films(self, job: Job) -> bool:
        with self._ground.database.read() as session:
            try:
                record = read_version(session, job.model_name, job.model_version).record
            except UnknownModel:
                return False
        return bool(record.get("input_kind") == "video")
