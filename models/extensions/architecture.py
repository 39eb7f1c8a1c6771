"""What a module of an operator's own says of its networks: the whole contract.

    PIXELMILL_EXTENSIONS=own_model ──► own_model.ARCHITECTURES ──► {"own/lamps": Architecture(…)}

A module that is named there has a dict `ARCHITECTURES`. Its values are builders (the number of
labels -> a network without weights), or an `Architecture`, which says more. Then the way of a
picture through a network is

    picture ──prepare──► sample ──stacked──► forward ──split──► postprocess ──► predictions

of which each function may be the module's own or Pixelmill's, by the record's task.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from models.media.pictures import Picture
from models.preprocessing.letterbox import Placement
from models.records.record import ModelRecord
from models.tasks.detection import in_original
from models.tasks.task import Predictions, Sample

Builder = Callable[..., nn.Module]
Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Seen:
    """How a network saw one picture.

    height, width: of the upright original, in which answers speak. sample: height and width of its
    sample. inside: where in the sample the original lies; None where it is all of the sample.
    """

    height: int
    width: int
    sample: tuple[int, int]
    inside: Placement | None = None

    def in_original(self, boxes: torch.Tensor) -> torch.Tensor:
        """Move boxes float32 (n, 4), x1 y1 x2 y2, from pixels of the sample to the original's."""
        nothing = torch.empty(0, *self.sample)
        return in_original(boxes, Sample(nothing, self.height, self.width, self.inside))


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A network, and what is known of all its versions. All but `build` may be left out.

    build: the number of labels, and the record's `options` by name -> a network without weights.
        Several threads run it at a time: its `forward` must not write to it.
    task: what it does, by a contract of models/contracts. A record needs none then.
    labels, preprocess, max_batch, shard_items, description: of a record that does not say them
        (`ModelRecord`). `preprocess` is any plain JSON where `prepare` reads it; else it is one of
        the forms of models/preprocessing, with `crop`, `fixed`, `shorter` or `letterbox`, whichever
        the task. Pictures are decoded to its `channels`, 3 unless said otherwise.
    describe: what of the record was said, and the shapes of the weights' tensors -> more members of
        it, over those above. Raises ValueError with a sentence for whoever pushes.
    prepare: a decoded picture -> its sample, uint8 or float32 (channels, h, w). `forward` is given
        samples of one shape, stacked: float32, uint8 divided by 255, and nothing else done to them.
        Without it, pictures are brought to size and normalised as `preprocess` says. Runs in many
        threads at once.
    postprocess: the record, what `forward` gave for one picture, how that was seen, and the job's
        parameters -> its predictions, by the task's contract. `forward` gives a tensor, or a tuple
        or dict of tensors, with a row a picture, or a list with an entry a picture; all on the CPU
        by then. What the parameters leave out (min_confidence, top_k, classes, …) is taken out
        afterwards. Without it, `forward` gives what models/tasks says of the task.

    What `prepare` or `postprocess` raises costs one picture: its error has the code
    `extension_failed`, and names the module, the architecture and what was raised.
    """

    build: Builder
    task: str = ""
    labels: Sequence[str] = ()
    preprocess: Mapping[str, Any] = field(default_factory=dict)
    max_batch: int = 32
    shard_items: int = 128
    description: str = ""
    describe: Callable[[Mapping[str, Any], Shapes], Mapping[str, Any]] | None = None
    prepare: Callable[[ModelRecord, Picture], Sample] | None = None
    postprocess: Callable[[ModelRecord, Any, Seen, Mapping[str, Any]], Predictions] | None = None
