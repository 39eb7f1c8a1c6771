"""Opens what every process of Pixelmill stands on: settings, database, storage, hints, traces."""

from dataclasses import dataclass

from jobs.base.database import Database
from jobs.base.hints import Hints
from jobs.base.settings import Settings
from jobs.base.storage import Storage
from jobs.base.traces.spans import NO_TRACES, Traces


@dataclass(frozen=True, slots=True)
class Ground:
    """The ground floor, opened; safe to share between threads, not across a fork."""

    settings: Settings
    database: Database
    storage: Storage
    hints: Hints
    traces: Traces = NO_TRACES

    def close(self) -> None:
        """Close every connection."""
        self.hints.close()
        self.database.close()
        self.traces.close()


def open_ground(settings: Settings, traces: Traces = NO_TRACES) -> Ground:
    """Open the ground floor; nothing is connected until it is first used."""
    return Ground(
        settings=settings,
        database=Database(settings.database_url),
        storage=Storage(settings.storage_url),
        hints=Hints(settings.redis_url),
        traces=traces,
    )
