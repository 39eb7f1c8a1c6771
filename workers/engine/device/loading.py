"""From a version in the database to a network that runs; versions that are new are tried out.

A version that came over HTTP is loaded as any other would be, with every check that this makes (see
models.runtime.registry), within the same memory, and is run once. What goes wrong then is its own
fault and told as the reason why it is refused.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
import torch

from jobs.base.bootstrap import Ground
from jobs.base.storage import BlobMissing, StorageError
from jobs.leases.leases import Lease, fail, hand_back, is_due, lease_next
from jobs.leases.renewing import renewed_aside
from jobs.tables import ModelVersion
from jobs.versions.deletion import erased_among
from jobs.versions.names import shown_name
from jobs.versions.validation import VALIDATIONS, accept, refuse
from models.proving.check import Check
from models.proving.proof import Proof
from models.records.errors import ModelError
from models.records.record import ModelRecord
from models.runtime.completion import Examine, complete, needs_completion
from models.runtime.device_faults import is_out_of_memory
from models.runtime.network import Network
from models.runtime.registry import load
from workers.engine.device.networks import MakeRoom, Networks, end_if_device_lost
from workers.walls.processes import ProcessDied

log = structlog.get_logger(__name__)


# What networks are told to compute in, by the name of the setting.
_PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


WarmUp = Callable[[Network], None]


def load_version(
    ground: Ground, version: ModelVersion, device: str, make_room: MakeRoom, warm_up: WarmUp
) -> Network:
    """Read a version's weights, check their digest, build the network and run it once.

    `warm_up` does so where batches run.

    Raises ModelError for what can never be run, StorageError while the store is away and
    torch.OutOfMemoryError when it does not fit into what is free of the device's memory.
    """
    storage, precision = ground.storage, _PRECISIONS[ground.settings.precision]
    make_room(storage.size(version.weights))
    record = ModelRecord.from_json(version.record)
    try:
        network = load(record, storage.get(version.weights), version.digest, device, precision)
        warm_up(network)
    except ModelError as err:
        log.warning("network_refused", model=version.name, version=version.version, error=str(err))
        raise
    except (RuntimeError, MemoryError) as err:
        end_if_device_lost(version.name, err)
        if is_out_of_memory(err):
            raise torch.OutOfMemoryError(str(err)) from err
        raise
    log.info("network_loaded", model=version.name, bytes=network.size_bytes)
    return network


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Why a version is refused, None if it is not; and what its check gave, as it is kept."""

    reason: str | None
    proof: dict[str, Any] | None = None


class Validator:
    """Tries out new versions, and drops the networks of those that are gone."""

    def __init__(
        self,
        ground: Ground,
        networks: Networks,
        load: Callable[[ModelVersion, MakeRoom], Network],
        examine: Examine,
        prove: Callable[[Network, Check], Proof],
    ) -> None:
        self._ground, self._networks, self._load = ground, networks, load
        self._examine, self._prove = examine, prove
        # One version at a time: they are loaded one after the other, and shards need the places.
        self._trying = threading.Lock()

    def has_work(self) -> bool:
        """Say whether a version waits, or one that is held is gone; only reads."""
        return is_due(self._ground.database, VALIDATIONS) or bool(self._gone())

    def validate_next(self) -> bool:
        """Try out the version that has waited for longest.

        False when none waits, or another thread of this process is trying one.
        """
        self._networks.drop(self._gone())
        if not self._trying.acquire(blocking=False):
            return False
        try:
            lease = lease_next(self._ground, VALIDATIONS)
            if lease is None:
                return False
            try:
                return self._try_out(lease)
            finally:
                self._networks.drop([lease.row.weights])
        finally:
            self._trying.release()

    def _try_out(self, lease: Lease[ModelVersion]) -> bool:
        """Work on a lease to its end; False when it has to be taken again."""
        try:
            # It may have to wait until others need less memory.
            with renewed_aside(self._ground, lease):
                verdict = self._judge(lease)
        except (StorageError, ProcessDied) as err:
            log.warning("validation_waits", error=repr(err))
            hand_back(self._ground, lease)
            return False
        except torch.OutOfMemoryError as err:
            log.warning("validation_waits_for_memory", error=str(err))
            fail(self._ground, lease)
            return False
        version = lease.row
        name, number = version.name, version.version
        if verdict.reason is not None:
            refuse(self._ground.database, lease, verdict.reason, verdict.proof)
        elif accept(self._ground.database, lease, version.record, verdict.proof):
            self._networks.rename(version.weights, f"{name}@{number}")
        self._erase_check(version)
        self._ground.hints.tell_moved(f"{name}@{number}")
        log.info("version_validated", model=name, version=number, refused=verdict.reason)
        return True

    def _judge(self, lease: Lease[ModelVersion]) -> "_Verdict":
        """Say whether a version can be run, and answers as its check has it.

        Raises StorageError, ProcessDied or torch.OutOfMemoryError where it may be otherwise later.
        """
        version, settings = lease.row, self._ground.settings
        if lease.is_used_up(settings):
            return _Verdict(lease.of.used_up)
        try:
            if needs_completion(version.record):
                weights = self._ground.storage.get(version.weights)
                version.record = complete(version.record, weights, self._examine).to_json()
            with self._borrowed(version) as network:
                proof = self._proof(version, network)
        except BlobMissing:
            return _Verdict("Its weights are not in the store any more; register it again.")
        except (StorageError, ProcessDied):
            raise
        except torch.OutOfMemoryError:
            # Of which others may hold much at the moment.
            if not lease.is_last(settings):
                raise
            return _Verdict("It does not fit into the memory of the device.")
        except ModelError as err:
            return _Verdict(str(err).replace(version.name, shown_name(version.name)))
        except (
            Exception
        ) as err:  # whatever a stranger's record does wrong, it is not our process's end
            log.exception("version_not_run", model=version.name, version=version.version)
            return _Verdict(f"It cannot be run with this record: {type(err).__name__}: {err}")
        if proof is None:
            return _Verdict(None)
        return _Verdict(proof.refusal() if proof.apart else None, proof.to_json())

    def _proof(self, version: ModelVersion, network: Network) -> Proof | None:
        """Hold a network against the check that came with it, if one did."""
        if version.check_blob is None:
            return None
        text = self._ground.storage.get(version.check_blob)
        return self._prove(network, Check.model_validate_json(text))

    def _erase_check(self, version: ModelVersion) -> None:
        """Erase a check's pictures; what stays is found later (jobs.aftercare.tidying)."""
        if version.check_blob is None:
            return
        try:
            self._ground.storage.delete([version.check_blob])
        except StorageError as err:
            log.warning("check_not_erased", blob=version.check_blob, error=str(err))

    @contextmanager
    def _borrowed(self, version: ModelVersion) -> Iterator[Network]:
        """Lend the network under the name of its weights.

        Its number is not its own before it is accepted: one that is refused gives it to the next.
        """
        tried = version.weights
        network = self._networks.borrow(tried, lambda make_room: self._load(version, make_room))
        try:
            yield network
        finally:
            del network  # if it is dropped now, nothing may keep it
            self._networks.give_back(tried)

    def _gone(self) -> list[str]:
        """Name the versions that are held and whose weights were erased."""
        return erased_among(self._ground.database, self._networks.held())
