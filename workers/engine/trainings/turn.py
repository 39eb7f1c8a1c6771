"""One turn of a training: from its checkpoint as far as the time allows, to the next checkpoint.

The turn after the last epoch registers the network instead. Trainings run in the thread of their
place, on its core and the process's device, one at a time in a process (see engine.py).
"""

import time
from typing import Any

import structlog

from jobs.base.bootstrap import Ground
from jobs.base.errors import InvalidRequest
from jobs.base.states import ItemStatus
from jobs.base.storage import BlobMissing, StorageError, training_name
from jobs.inputs.manifests import Item
from jobs.intake.trainings import (
    Turn,
    check_wanted,
    end_turn_through_outages,
    note_outcome,
    read_row,
)
from jobs.queue.quarantine import Suspect
from jobs.queue.shard_leases import hand_back
from jobs.results.segments import ItemError, Row, to_json
from jobs.tables import ModelVersion
from jobs.tenants.audit import WORKER, Actor
from jobs.versions.names import shown_name
from jobs.versions.registry import Unwanted, check_task, register
from models.records.errors import ModelError, TrainingFailed, WeightsError
from models.records.record import ModelRecord
from models.runtime import weights as weights_file
from models.runtime.device_faults import is_out_of_memory
from models.runtime.registry import load
from models.training.examples import Decoders
from models.training.fitting import Fit
from models.training.footprint import check_footprint
from models.training.new_records import new_record
from models.training.progress import MOST_SHOWN_CLASSES, MOST_SHOWN_FILES
from models.training.recipes import Recipe, read_recipe
from workers.engine.device.networks import end_if_device_lost
from workers.engine.holding.flight import FlightRecord
from workers.engine.reading.chunk import Content
from workers.engine.reading.reader import Reader
from workers.engine.shard import ShardRun
from workers.engine.trainings.images import Listing, ManifestImages

log = structlog.get_logger(__name__)


class _StoredImages(ManifestImages):
    """Images in storage, which is waited out while it is away."""

    def __init__(self, listing: Listing, reader: Reader, run: ShardRun, max_bytes: int) -> None:
        self._reader, self._run, self._max_bytes = reader, run, max_bytes
        super().__init__(listing, self._read_stored)

    def _read_stored(self, items: list[Item]) -> list[Content]:
        contents = self._run.retry_storage(lambda: self._reader.read(items, self._max_bytes))
        # Only the reading is over; the step that it was for may still take minutes.
        self._run.moves_slowly()
        return contents


class TrainingTurn:
    """A leased training while it has its turn; `run` keeps its lease and hears when to stop."""

    def __init__(self, ground: Ground, run: ShardRun, device: str, decoders: Decoders) -> None:
        self._ground, self._run, self._device = ground, run, device
        self._decoders = decoders
        self._training = read_row(ground.database, run.lease.job_id)
        self._name = shown_name(run.lease.model_name)
        self._began_at = time.monotonic()

    def take(self, listing: Listing, reader: Reader, flight: FlightRecord) -> bool:
        """Train for a turn, or register what came of it; True when the training is over by now."""
        recipe = read_recipe(self._run.lease.params)
        try:
            max_bytes = self._ground.settings.max_item_bytes
            images = _StoredImages(listing, reader, self._run, max_bytes)
            fit = self._resumed(recipe, images)
            if fit.progress.is_over:
                return self._finish(fit)
            began_at = time.monotonic()
            # A step that ends the process is this training's fault, and not what runs beside it.
            with flight.flying(Suspect(self._run.lease.shard_id, 0, 1)):
                fit.advance(self._is_time)
            return self._end_turn(fit, images, time.monotonic() - began_at)
        except ModelError as err:
            return self._fail(err)
        except RuntimeError as err:
            # Others may have had the memory at that moment.
            is_last = self._run.lease.is_last(self._ground.settings)
            if is_out_of_memory(err) and is_last:
                return self._fail(
                    TrainingFailed(
                        f"A batch of {recipe.batch} images does not fit into the memory of the "
                        "device. Train again with a smaller batch."
                    )
                )
            # Another turn on this device would fail as well, and the last of them the training.
            end_if_device_lost(self._name, err)
            raise

    def _resumed(self, recipe: Recipe, images: ManifestImages) -> Fit:
        record = new_record(self._name, recipe, images.labels)
        # One that fills the memory would end the process, and with it the work of others.
        check_footprint(record, recipe, self._ground.settings.training_memory)
        if self._training.checkpoint is None:
            return Fit(record, recipe, images, self._device, decoders=self._decoders)
        try:
            state = self._run.retry_storage(lambda: self._ground.storage.get(self._checkpoint))
            return Fit(record, recipe, images, self._device, state, self._decoders)
        except (BlobMissing, WeightsError) as err:
            raise TrainingFailed(
                f"What earlier turns learned cannot be read any more; train again. ({err})"
            ) from err

    def _is_time(self) -> bool:
        self._run.moves_slowly()
        lasted_s = time.monotonic() - self._began_at
        return self._run.stopped.is_set() or lasted_s > self._ground.settings.training_turn_s

    def _end_turn(self, fit: Fit, images: ManifestImages, device_s: float) -> bool:
        lease, storage = self._run.lease, self._ground.storage
        if self._run.why == "lost":
            return False
        name = training_name(lease.job_id, lease.fence)
        self._run.retry_storage(lambda: storage.put(name, [fit.save()]))
        turn = Turn(name, _shown(fit, images))
        held_s = time.monotonic() - self._began_at
        won = end_turn_through_outages(
            self._ground.database, lease, turn, device_s, held_s, self._run.pause
        )
        self._delete(self._checkpoint if won else name)
        log.info("training_turn", job=lease.job_id, epoch=fit.progress.epoch, won=won)
        return False

    def _finish(self, fit: Fit) -> bool:
        """Register the best epoch's network, then commit."""
        record, weights = fit.finished_record(), fit.best_weights()
        # What cannot be loaded is refused here, not in the middle of somebody's job.
        load(record, weights).warm_up()
        ground, lease = self._ground, self._run.lease
        if self._run.stopped.is_set():
            hand_back(ground.database, lease)
            return False
        try:
            version = self._run.retry_storage(lambda: self._register(record, weights))
        except Unwanted:
            # Of a training that ends nothing may come, and the keeper hears of it seconds later.
            hand_back(ground.database, lease)
            return False
        note_outcome(ground.database, lease, version=version.version)
        figures = {"model": f"{self._name}@{version.version}", **record.metrics}
        return self._commit(ItemStatus.SUCCEEDED, predictions_json=to_json([figures]))

    def _register(self, record: ModelRecord, weights: bytes) -> ModelVersion:
        """Register the network, unless the training has been ended; raises Unwanted."""
        lease, database = self._run.lease, self._ground.database
        with database.read() as session:
            try:
                check_task(session, lease.model_name, record.task, param="architecture")
            except InvalidRequest as err:
                raise TrainingFailed(err.message) from err
        return register(
            database,
            self._ground.storage,
            lease.model_name,
            record.to_json(),
            weights,
            weights_file.digest(weights),
            Actor(WORKER.who, lease.tenant_id),
            check=lambda session: check_wanted(session, lease),
        )

    def _fail(self, err: ModelError) -> bool:
        """End a training of which nothing can come."""
        told = {"code": err.code, "message": str(err)}
        note_outcome(self._ground.database, self._run.lease, error=told)
        return self._commit(ItemStatus.ERRORED, error=ItemError(err.code, str(err)))

    def _commit(self, status: ItemStatus, **of_row: Any) -> bool:
        row = Row(0, self._name, status, attempts=self._run.lease.attempts, **of_row)
        is_over = self._run.commit([row])
        if is_over:
            self._delete(self._checkpoint)
        return is_over

    @property
    def _checkpoint(self) -> str:
        return self._training.checkpoint or ""

    def _delete(self, name: str) -> None:
        """Delete a checkpoint that nobody goes on from; jobs.aftercare.tidying finds what stays."""
        try:
            self._ground.storage.delete([name] if name else [])
        except StorageError as err:
            log.warning("checkpoint_not_deleted", blob=name, error=str(err))


def _shown(fit: Fit, images: ManifestImages) -> dict[str, Any]:
    """Give what callers see of a training."""
    progress = fit.progress
    training, validation = fit.sizes
    is_small = len(images.labels) <= MOST_SHOWN_CLASSES
    skipped = list(progress.skipped.items())
    return {
        "epoch": progress.epoch,
        "epochs": fit.recipe.epochs,
        "step": progress.position,
        "steps": fit.steps_an_epoch,
        "best_epoch": progress.best_epoch or None,
        "history": progress.history,
        "labels": list(images.labels),
        "confusion": progress.confusion if is_small and progress.confusion else None,
        "images": {"training": training, "validation": validation, "skipped": len(skipped)},
        "skipped": [
            {"name": images.name(row), "message": why} for row, why in skipped[:MOST_SHOWN_FILES]
        ],
    }
