"""What every table is made of: names of constraints, and how Python's types are stored."""

from enum import StrEnum
from typing import Any, ClassVar

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
