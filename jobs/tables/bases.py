"""What tables are made of: names of constraints, Python's types as stored, what `requested` is."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Self

from sqlalchemy import JSON, BigInteger, Enum, Integer, MetaData, Text
from sqlalchemy.orm import DeclarativeBase

from jobs.base.states import (
    ItemStatus,
    JobKind,
    JobStatus,
    Outcome,
    OutputState,
    ShardState,
    UploadState,
    VersionState,
    WatchState,
)

# SQLite numbers rows by itself only in a column of exactly INTEGER.
BigId = BigInteger().with_variant(Integer, "sqlite")


def _words(kind: type[StrEnum]) -> Enum:
    """Store an enumeration as its words: readable in a console, cheap to extend."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=False,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


class Table(DeclarativeBase):
    """Base of every table; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        dict[str, Any]: JSON,
        list[Any]: JSON,
        str: Text,
        int: BigInteger,
        JobStatus: _words(JobStatus),
        Outcome: _words(Outcome),
        OutputState: _words(OutputState),
        ShardState: _words(ShardState),
        ItemStatus: _words(ItemStatus),
        JobKind: _words(JobKind),
        UploadState: _words(UploadState),
        VersionState: _words(VersionState),
        WatchState: _words(WatchState),
    }


@dataclass(frozen=True, slots=True)
class Requested:
    """What the caller of a job or a watch named, which no line of a JSONL file may contradict.

    It stands in their column `requested`; only a shadow, which nobody asked for, has another there.
    """

    model: str
    params: dict[str, Any]
    # Whether the first line of a manifest says both for all its lines, and not the job itself.
    from_lines: bool = False

    @classmethod
    def read(cls, stored: dict[str, Any]) -> Self:
        """Read the column."""
        return cls(stored["model"], stored.get("params") or {}, stored.get("from_lines", False))

    def as_stored(self) -> dict[str, Any]:
        """Give the column."""
        said = {"model": self.model, "params": self.params}
        return said | {"from_lines": True} if self.from_lines else said
