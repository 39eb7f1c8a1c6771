"""A detector of coloured lamps, for Pixelmill: name this module in PIXELMILL_EXTENSIONS."""

from models.extensions import Architecture
from own_model.lamps import Lamps, postprocess, prepare

ARCHITECTURES = {
    "own/lamps": Architecture(
        build=Lamps,
        task="detection",
        labels=("red", "green", "blue"),
        # `side` is read by `prepare` alone; `channels` says how pictures are decoded.
        preprocess={"channels": 3, "side": 64},
        max_batch=16,
        description="Red, green and blue lamps, by their colour.",
        prepare=prepare,
        postprocess=postprocess,
    )
}
