"""Claims shards and runs them until there is none; owns every thread of an inference process."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import lru_cache, partial

import structlog
from sqlalchemy.exc import SQLAlchemyError

from jobs.base.bootstrap import Ground
from jobs.base.database import is_outage
from jobs.base.hints import IO
from jobs.base.storage import BlobMissing
from jobs.buckets.sources import Buckets
from jobs.inputs.manifests import Item, Manifest
from jobs.leases.leases import is_due
from jobs.queue.quarantine import is_crasher, must_run_alone
from jobs.queue.scheduling import ShardLease, claim, has_work
from jobs.queue.shard_leases import fail
from jobs.queue.turns import Line
from jobs.queue.webhooks import DELIVERIES
from jobs.results.segments import ItemError
from jobs.tables import ModelVersion
from jobs.versions.registry import read_version
from models.proving.check import Check
from models.proving.proof import Proof, prove
from models.records.errors import ModelError
from models.runtime.network import ImageNetwork, Network, VideoNetwork
from models.runtime.streams import use_own_stream
from workers.egress import Egress
from workers.engine.decoding.threads import DecodeThreads
from workers.engine.decoding.walled import WalledDecoders
from workers.engine.device.batcher import Batcher
from workers.engine.device.loading import Validator, load_version
from workers.engine.device.networks import MakeRoom, Networks, trim
from workers.engine.figures import batches_of, note_memory
from workers.engine.galleries import Galleries
from workers.engine.holding.aftermath import reclaim_leases_of_dead_process
from workers.engine.holding.flight import FlightRecord, read_suspects
from workers.engine.holding.hold import Abandoned
from workers.engine.holding.keeper import Keeper
from workers.engine.holding.places import Place, Places, places
from workers.engine.holding.quiet import Quiet
from workers.engine.holding.rest import Rest
from workers.engine.reading.threads import ReadThreads
from workers.engine.seen import seen
from workers.engine.shard import VIDEOS, ShardRun
from workers.engine.stages import Stages
from workers.engine.trainings.images import Listing
from workers.engine.trainings.turn import TrainingTurn
from workers.process import Process
from workers.walls.films import FilmDecoders
from workers.walls.networks import NetworkExaminer
from workers.walls.pictures import PictureDecoders
from workers.walls.processes import ForkServer

log = structlog.get_logger(__name__)

_OPEN_MANIFESTS = 16
_OPEN_LISTINGS = 4

_CRASHED = ItemError(
    "worker_crashed",
    "A worker process ended each time it ran this item, so it is not run again.",
)

_FAILED = ItemError(
    "internal_error",
    "This part of the job could not be run in several tries; the operator's logs say why.",
    retryable=True,
)

# Chunks of a batch, as most are.
_CHUNKS_A_BATCH = 4


class Engine:
    """Runs shards of one pool on one device."""

    def __init__(
        self,
        ground: Ground,
        process: Process,
        egress: Egress,
        may_claim: Callable[[], bool] = lambda: True,
    ) -> None:
        """Open it; `may_claim` is asked before anything new is begun (workers.presence)."""
        settings, self._may_claim = ground.settings, may_claim
        self._ground, self._process = ground, process
        # First of all: it imports its decoders while this process imports its own.
        self._fork_server = ForkServer(settings.decoder_module)
        self._fork_server.start()
        self._pictures = PictureDecoders(self._fork_server, settings.decoder_memory)
        films = FilmDecoders(self._fork_server, settings.decoder_memory)
        self._stopping = threading.Event()
        # Who finds no place free leaves the work to those who are at it.
        self._places = Places(settings.shards_in_flight)
        # One network at a time: two would fill the device, and leave no place to anybody else.
        self._place_for_training = threading.Semaphore()
        self._networks = Networks(settings.model_memory)
        most = places(settings.shards_in_flight)
        self._decoders = DecodeThreads(most, process.decode_threads, process.use_one_core)
        self._buckets = Buckets(ground)
        self._readers = ReadThreads(most)
        self._videos = ThreadPoolExecutor(most * VIDEOS, "video", initializer=process.use_one_core)
        self._suspects = read_suspects(process.flight)
        self._flight = FlightRecord(process.flight)
        self._quiet = Quiet()
        self._rest = Rest(self._give_memory_back)
        self._batcher = Batcher(
            settings.batch_wait_ms / 1000,
            self._flight,
            process.heavy_cores,
            process.use_cores,
            process.lanes,
            partial(use_own_stream, process.device),
            batches_of(process.place, process.lanes),
        )
        self._examiner = NetworkExaminer()
        self._validator = Validator(
            ground, self._networks, self._load_version, self._examiner.examine, self._prove
        )
        self._keeper = Keeper(ground.database, process.node, settings, beat=self._flight.beat)
        self._manifest = lru_cache(_OPEN_MANIFESTS)(self._open_manifest)
        # A training reads its manifest as a whole: not again for every turn.
        self._listing = lru_cache(_OPEN_LISTINGS)(lambda name: Listing(self._manifest(name)))
        self._stages = Stages(
            ground,
            self._readers.reader(ground, egress, self._buckets),
            self._decoders,
            self._pictures,
            films,
            self._videos,
            self._batcher,
            self._flight,
            depth=2 * (process.decode_threads + 1) + _CHUNKS_A_BATCH * process.lanes,
        )
        self._galleries = Galleries(ground, self._stages.reader, self._pictures, films)

    def take_back(self) -> None:
        """End what a dead process of this name still holds; call once, before the first claim."""
        process = self._process
        reclaim_leases_of_dead_process(
            self._ground.database,
            process.node,
            self._suspects,
            crashed=process.predecessor_crashed,
        )

    def has_work(self) -> bool:
        """Say whether a claim might find something, or the validator."""
        asked = (self._validator.has_work, self._galleries.has_work)
        is_asked = has_work(self._ground.database, self._process.pool) or any(f() for f in asked)
        found = self._may_claim() and is_asked
        self._rest.note(has_work=found)
        return found

    def tell_figures(self) -> None:
        """Tell how much memory is in use."""
        note_memory(self._process.place, self._process.device)

    def _begins_nothing(self) -> bool:
        return self._stopping.is_set() or not self._may_claim()

    def _give_memory_back(self) -> None:
        self._pictures.rest(keep=self._process.decode_threads)
        trim()

    def drain(self) -> int:
        """Run one shard after the other until there is none; gives how many."""
        # Whether or not there is a place: somebody looks at them this moment.
        make_pictures = partial(self._galleries.begin, self._begins_nothing)
        make_pictures()
        tried = list[Place]()
        while (place := self._places.take(*tried, meanwhile=make_pictures)) is not None:
            count = self._drain_at(place)
            if count or place.is_ordinary:
                return count
            tried.append(place)
        return 0

    def stop(self) -> None:
        """Claim no more; what still runs after the grace time is handed back."""
        self._stopping.set()
        self._keeper.hand_back_after(self._ground.settings.grace_s)

    def close(self) -> None:
        """End every thread; call after the last `drain` has returned."""
        self._keeper.close()
        self._galleries.close()
        self._videos.shutdown()
        self._decoders.shutdown()
        self._readers.shutdown()
        self._buckets.close()
        self._pictures.close()
        self._fork_server.close()
        self._examiner.close()
        self._batcher.close()
        self._flight.close()

    def _drain_at(self, place: Place) -> int:
        # Results are put together in this thread, beside those of the other places.
        self._process.use_one_core()
        try:
            count = 0
            while True:
                # Whoever was called has heard of work. What comes next is looked for by a read.
                self._places.looks(place)
                is_there = count == 0 or has_work(self._ground.database, self._process.pool)
                lease = self._claim(place) if is_there else None
                if lease is not None:
                    self._run(lease)
                    count += 1
                if not self._try_out_version() and lease is None:
                    return count
        finally:
            self._places.leave(place)

    def _try_out_version(self) -> bool:
        """Try out one version after each shard: neither waits for an end of the other.

        Not beside a suspect, which would answer for what a stranger's version does.
        """
        if self._begins_nothing() or self._quiet.is_wanted_alone:
            return False
        return self._validator.validate_next()

    def _claim(self, place: Place) -> ShardLease | None:
        """Claim a shard; that of a training comes with the place for it."""
        if self._begins_nothing():
            return None
        pool, node, held = self._process.pool, self._process.node, self._networks.held()
        database, lease_s = self._ground.database, self._ground.settings.lease_s
        served = self._keeper.tenants() if place.only_newcomers else frozenset()
        may_give = place.is_ordinary and self._place_for_training.acquire(blocking=False)
        line, trains = Line(pool, may_give, served), False
        try:
            lease = claim(database, line, node, lease_s, held, only_short=place.only_short)
            trains = lease is not None and lease.is_turn
            return lease
        finally:
            if may_give and not trains:
                self._place_for_training.release()

    def _run(self, lease: ShardLease) -> None:
        # Work that a hint brought is over before anybody looks for it.
        self._rest.note(has_work=True)
        with seen(self._ground, lease) as timeline:
            self._run_seen(ShardRun(self._stages, lease, timeline), lease)

    def _run_seen(self, run: ShardRun, lease: ShardLease) -> None:
        bound = log.bind(job=lease.job_id, shard=lease.shard_id, fence=lease.fence)
        self._keeper.hold(run)
        try:
            if self._run_or_refuse(run, lease):
                self._ground.hints.tell_moved(lease.job_id)
                bound.info("shard_done", items=lease.count)
                if is_due(self._ground.database, DELIVERIES):
                    self._ground.hints.send(IO)
        except Abandoned:
            bound.warning("shard_left", error="the store did not come back in time")
            run.leave()
        except SQLAlchemyError as err:
            if not is_outage(err):
                raise
            # The lease runs out by itself, or this process takes it back when it is restarted.
            bound.warning("shard_left", error=str(err).splitlines()[0])
        except BlobMissing as err:
            # As a rule its job was deleted, and the lease is gone.
            bound.warning("shard_without_blob", error=str(err))
            self._give_up(run, lease)
        except ModelError as err:
            # Logged where it was found. Once tried out, weights only fail when they were damaged.
            self._give_up(run, lease, ItemError("model_unusable", str(err), err.retryable))
        except Exception:
            bound.exception("shard_failed")
            self._give_up(run, lease)
        finally:
            self._keeper.release(run)
            run.close()
            if lease.is_turn:
                self._place_for_training.release()

    def _run_or_refuse(self, run: ShardRun, lease: ShardLease) -> bool:
        manifest = run.retry_storage(lambda: self._manifest(lease.manifest))
        if is_crasher(lease):
            return run.error_all(manifest.items(lease.first, lease.count), _CRASHED)
        # Loading a network and waiting for a turn may take long, and are no stall.
        run.waits()
        if lease.is_turn:
            return self._train(run)
        load = partial(self._load, lease)
        network = run.retry_storage(lambda: self._networks.borrow(lease.model, load))
        try:
            with self._turn(run, network):
                run.moved()
                assert isinstance(network, ImageNetwork | VideoNetwork)
                return run.run(network, manifest)
        finally:
            del network  # if it is dropped now, nothing may keep it
            self._networks.give_back(lease.model)

    def _turn(self, run: ShardRun, network: Network | None = None) -> AbstractContextManager[None]:
        """Give the right to run beside others, or alone; who is told to stop meanwhile gets it."""
        if must_run_alone(run.lease):
            return self._quiet.alone(run.stopped)
        # A video may last for hours, and goes on later from where it is.
        give_way = partial(run.stop, "hand_back") if isinstance(network, VideoNetwork) else None
        return self._quiet.shared(run.stopped, give_way)

    def _train(self, run: ShardRun) -> bool:
        decoders = WalledDecoders(self._pictures, self._stages.films, run.moved)
        turn = TrainingTurn(self._ground, run, self._process.device, decoders)
        listing = run.retry_storage(lambda: self._listing(run.lease.manifest))
        with self._turn(run):
            run.moves_slowly()
            return turn.take(listing, self._stages.reader, self._flight)

    def _give_up(self, run: ShardRun, lease: ShardLease, error: ItemError = _FAILED) -> None:
        """Let a shard that could not be run be tried again, or error its items after some tries."""
        if not lease.is_last(self._ground.settings):
            fail(self._ground.database, lease)
            return
        try:
            items = run.retry_storage(
                lambda: self._manifest(lease.manifest).items(lease.first, lease.count)
            )
        except BlobMissing:
            indexes = range(lease.first, lease.first + lease.count)
            items = [Item(str(index), "raw") for index in indexes]
        run.error_all(items, error)
        self._ground.hints.tell_moved(lease.job_id)

    def _load(self, lease: ShardLease, make_room: MakeRoom) -> Network:
        with self._ground.database.read() as session:
            version = read_version(session, lease.model_name, lease.model_version)
        return self._load_version(version, make_room)

    def _load_version(self, version: ModelVersion, make_room: MakeRoom) -> Network:
        device, warm_up = self._process.device, self._batcher.warm_up
        return load_version(self._ground, version, device, make_room, warm_up)

    def _prove(self, network: Network, check: Check) -> Proof:
        decoders = WalledDecoders(self._pictures, self._stages.films)
        return prove(network, check, decoders.picture, self._batcher.aside)

    def _open_manifest(self, name: str) -> Manifest:
        return Manifest(self._ground.storage, name)
