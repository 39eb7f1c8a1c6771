"""What every shard passes through; one of each for all shards of a process."""

from concurrent.futures import Executor
from dataclasses import dataclass

from jobs.base.bootstrap import Ground
from workers.engine.decoding.decoder import Pictures
from workers.engine.decoding.threads import DecodeThreads
from workers.engine.device.batcher import Batcher
from workers.engine.holding.flight import FlightRecord
from workers.engine.reading.reader import Reader
from workers.walls.films import FilmDecoders


@dataclass(frozen=True, slots=True)
class Stages:
    """The engine's rooms, as a shard sees them."""

    ground: Ground
    reader: Reader
    decoders: DecodeThreads
    # Processes behind walls, which do the decoding for those threads.
    pictures: Pictures
    films: FilmDecoders
    # Threads that each see one video through, and mostly wait.
    videos: Executor
    batcher: Batcher
    flight: FlightRecord
    # Chunks of one shard that may be between reading and post-processing at a time.
    depth: int
