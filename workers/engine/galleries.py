"""Makes small pictures that somebody opened, of jobs that keep none (jobs.results.opened).

An errand of inference workers, for they have the decoders; one at a time in each process, in a
thread of its own: no shard waits for a picture. Whatever is wrong with an item costs its picture;
what may be read another time is asked for another time.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import structlog
from sqlalchemy.exc import SQLAlchemyError

from jobs.archives import ArchiveError, extract
from jobs.base.bootstrap import Ground
from jobs.base.errors import UnknownModel
from jobs.base.storage import BlobMissing, StorageError, opened_name
from jobs.inputs.manifests import Item, Manifest
from jobs.leases.leases import Lease, LeaseLost, is_due
from jobs.leases.renewing import Heart
from jobs.leases.working import work_on_next
from jobs.results.opened import LONGEST_S, OPENED, end_opened, fail_opened, job_of
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
Stops = Callable[[], bool]
# Makes a small picture of an item's bytes, as they are stored; None where it has none.
Small = Callable[[Item, Bytes, Beat], bytes | None]

_ASKED = Asked(3, Limits(), LONGEST_SIDE)
# Of films; a strip shows no more of one.
_SAMPLING = Sampling(fps=2)
# What another worker may read, or the same one once somebody has seen to it.
_MAY_BE_READ_LATER = ("bucket_not_allowed", "bucket_denied", "connection_gone")


class _NotNow(Exception):
    """The pictures cannot be made now: a store is away, the time is over, or the process ends."""


class _Unread(Exception):
    """An item was not read, which may be otherwise later; `is_soon` where it is tried again."""

    def __init__(self, reason: str, *, is_soon: bool) -> None:
        super().__init__(reason)
        self.is_soon = is_soon


class Galleries:
    """Makes what was asked for; safe to share between threads."""

    def __init__(
        self,
        ground: Ground,
        reader: Reader,
        pictures: Pictures,
        films: FilmDecoders,
        longest_s: float = LONGEST_S,
    ) -> None:
        """Open it; `longest_s` bounds a try, whatever servers and films take."""
        self._ground, self._reader, self._pictures, self._films = ground, reader, pictures, films
        self._longest_s = longest_s
        self._making = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "gallery")

    def close(self) -> None:
        """End the thread when it has done what it is at."""
        self._thread.shutdown()

    def has_work(self) -> bool:
        """Say whether pictures were asked for; a read that disturbs nobody."""
        return is_due(self._ground.database, OPENED)

    def begin(self, stops: Stops) -> None:
        """Have all that was asked for made in the thread, until `stops` says so."""
        if not self._making.locked() and self.has_work():
            self._thread.submit(self._make_all_logged, stops)

    def make_all(self, stops: Stops) -> None:
        """Make all that was asked for, until `stops` says so."""
        while self.has_work() and not stops() and self.make_next(stops):
            pass

    def make_next(self, stops: Stops) -> bool:
        """Make those that were asked for first; False when none are, or another thread is at it."""
        if not self._making.acquire(blocking=False):
            return False
        try:
            return work_on_next(self._ground, OPENED, partial(self._make, stops)) is not None
        except StorageError as err:
            log.warning("gallery_waits_for_storage", error=str(err))
            return False
        finally:
            self._making.release()

    def _make_all_logged(self, stops: Stops) -> None:
        try:
            self.make_all(stops)
        except Exception:  # as a rule the database is away; it is begun again with the next look
            log.exception("galleries_broken_off")

    def _make(self, stops: Stops, lease: Lease[OpenedPictures]) -> None:
        job, is_used_up = job_of(self._ground, lease), lease.is_used_up(self._ground.settings)
        if job is None or job.manifest is None or is_used_up:
            end_opened(self._ground, lease, None, is_sure=not is_used_up)
            return
        row = lease.row
        name = opened_name(job.id, row.first, lease.fence)
        kept = Thumbnails(row.first, row.count)
        try:
            is_sure = self._fill(kept, job, lease, self._beat(lease, stops))
            kept.write(self._ground.storage, name)
            self._end(lease, name, is_sure=is_sure and not kept.is_given_up)
            log.info("gallery_made", job=job.id, first=row.first, pictures=row.count)
        except BlobMissing:
            # The manifest went with its job, or what the items lie in.
            end_opened(self._ground, lease, None)
        except (LeaseLost, StorageError, SQLAlchemyError):
            raise
        except (ProcessDied, _NotNow) as err:
            log.warning("gallery_waits", job=job.id, first=row.first, error=repr(err))
            fail_opened(self._ground, lease)
        except Exception:  # such as a full disk: shards are run all the same
            log.exception("gallery_failed", job=job.id, first=row.first)
            fail_opened(self._ground, lease)
        finally:
            kept.close()

    def _beat(self, lease: Lease[OpenedPictures], stops: Stops) -> Beat:
        """Give what renews a lease; it raises _NotNow once nobody is to go on."""
        heart, until = Heart(self._ground, lease), time.monotonic() + self._longest_s

        def beat() -> None:
            if stops():
                raise _NotNow("the process ends")
            if time.monotonic() > until:
                raise _NotNow("it takes too long")
            heart.beat()

        return beat

    def _end(self, lease: Lease[OpenedPictures], name: str, *, is_sure: bool) -> None:
        try:
            end_opened(self._ground, lease, name, is_sure=is_sure)
        except LeaseLost:
            self._ground.storage.delete([name])
            raise

    def _fill(self, kept: Thumbnails, job: Job, lease: Lease[OpenedPictures], beat: Beat) -> bool:
        """Make the pictures; False where some are missing that may be made another time."""
        is_sure = True
        small = self._strip if self._is_of_films(job) else self._picture
        assert job.manifest is not None
        items = Manifest(self._ground.storage, job.manifest).items(lease.row.first, lease.row.count)
        for index, item in enumerate(items, start=lease.row.first):
            beat()
            # An address is not called again to show something.
            if item.encoding in ("url", "refused"):
                continue
            try:
                made = self._made(item, small, beat)
            except _Unread as err:
                if err.is_soon and not lease.is_last(self._ground.settings):
                    raise _NotNow(str(err)) from err
                made, is_sure = None, False
            if made is not None:
                kept.add({index: made})
        return is_sure

    def _made(self, item: Item, small: Small, beat: Beat) -> bytes | None:
        requester = Requester(beat=beat)
        try:
            (content,) = self._reader.read([item], _ASKED.limits.max_bytes, requester)
        finally:
            # Whatever threads still read for it is read for nobody.
            requester.stopped.set()
        if isinstance(content, ItemError):
            if content.retryable or content.code in _MAY_BE_READ_LATER:
                raise _Unread(content.code, is_soon=content.retryable)
            return None
        try:
            return small(item, content, beat)
        except (LeaseLost, ProcessDied, _NotNow):
            raise
        except (ArchiveError, FilmError):
            return None
        except OSError as err:  # such as a full disk: films are spooled
            raise _Unread(repr(err), is_soon=True) from err
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
