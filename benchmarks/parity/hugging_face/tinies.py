"""All tiny networks of transformers, one of each kind."""

from benchmarks.parity.hugging_face.classifiers import CLASSIFIERS
from benchmarks.parity.hugging_face.detectors import DETECTORS
from benchmarks.parity.hugging_face.embedders import EMBEDDERS
from benchmarks.parity.hugging_face.films import FILMS
from benchmarks.parity.hugging_face.segmenters import SEGMENTERS

TINIES = [*CLASSIFIERS, *DETECTORS, *SEGMENTERS, *EMBEDDERS, *FILMS]
