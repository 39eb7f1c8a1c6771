"""Networks of an operator's own modules: the contract, how modules are read, and their tasks.

Authors import from here: `from models.extensions import Architecture, Picture, Sample, Seen`. The
contract is `architecture`. Imports contracts, tasks and what they stand on.
"""

from models.extensions.architecture import Architecture, Seen
from models.media.pictures import Picture
from models.preprocessing.letterbox import Placement
from models.records.record import ModelRecord
from models.tasks.task import Predictions, Sample

__all__ = [
    "Architecture",
    "ModelRecord",
    "Picture",
    "Placement",
    "Predictions",
    "Sample",
    "Seen",
]
