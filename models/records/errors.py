"""What can go wrong between bytes and predictions.

::

    ModelError
    ├── InputError               the item is at fault: it costs one item, never a batch
    │   ├── ImageDecodeFailed        image_decode_failed
    │   ├── ImageTooLarge            image_too_large
    │   ├── VideoDecodeFailed        video_decode_failed
    │   ├── VideoTooLarge            video_too_large
    │   ├── UnsupportedMedia         unsupported_media
    │   └── DecoderFault             decoder_fault: a decoder claimed what it had not done
    ├── WeightsError             bad_weights: wrong digest, format, names or shapes
    │   └── WeightsUnavailable       weights_unavailable: the hub did not answer (a retry may help)
    ├── UnknownArchitecture      unknown_architecture
    │   └── ExtensionNotLoaded       extension_not_loaded: an operator's module is broken here
    ├── ExtensionFailed          extension_failed: a function of an operator's module raised, or
    │                            answered outside its task's contract; it costs one item
    ├── RecordError              bad_record: a model's record contradicts itself
    ├── ParamsError              invalid_params: names the parameter in `param`
    ├── DatasetError             bad_dataset: nothing can be learned from these files
    ├── TruthError               invalid_truth: nothing can be held against what is said of an item
    └── TrainingFailed           training_failed: the network did not learn from good files

Every message is a finished sentence for the person who sent the item, the parameter or the file.
`code` is stable and goes into results; `retryable` says whether the same call may succeed later.
"""

from typing import ClassVar


class ModelError(Exception):
    """Anything this package refuses to do."""

    code: ClassVar[str] = "model_error"
    retryable: ClassVar[bool] = False


class InputError(ModelError):
    """One item cannot be used; the others of its batch are unharmed."""

    code = "bad_input"


class ImageDecodeFailed(InputError):
    """The bytes claim to be an image but are cut short or corrupt."""

    code = "image_decode_failed"


class ImageTooLarge(InputError):
    """The image has more bytes or more pixels than the model accepts."""

    code = "image_too_large"


class VideoDecodeFailed(InputError):
    """The bytes claim to be a video but give not a single frame."""

    code = "video_decode_failed"


class VideoTooLarge(InputError):
    """The video has more bytes, or its frames more pixels, than the model accepts."""

    code = "video_too_large"


class UnsupportedMedia(InputError):
    """The bytes are none of the formats of pictures, or of videos, that are read."""

    code = "unsupported_media"


class DecoderFault(InputError):
    """A decoder said that it had read the item, and had not."""

    code = "decoder_fault"


class WeightsError(ModelError):
    """Weights that are refused: wrong digest, format, names or shapes."""

    code = "bad_weights"


class WeightsUnavailable(WeightsError):
    """Published weights could not be fetched from their hub."""

    code = "weights_unavailable"
    retryable = True


class UnknownArchitecture(ModelError):
    """No architecture of that name is on the allow-list."""

    code = "unknown_architecture"


class ExtensionNotLoaded(UnknownArchitecture):
    """A module of the operator's own cannot be used, or one of its names is taken."""

    code = "extension_not_loaded"
    retryable = True


class ExtensionFailed(ModelError):
    """A function of an operator's own architecture failed on one picture."""

    code = "extension_failed"


class RecordError(ModelError):
    """A model's record is incomplete or contradicts itself."""

    code = "bad_record"

    def __init__(self, message: str, param: str | None = None) -> None:
        """Keep the name of the record's member beside the sentence about it, where it is one."""
        super().__init__(message)
        self.param = param


class ParamsError(ModelError):
    """A parameter of a task is unknown or out of range."""

    code = "invalid_params"

    def __init__(self, message: str, param: str) -> None:
        """Keep the dotted name of the parameter beside the sentence about it."""
        super().__init__(message)
        self.param = param


class DatasetError(ModelError):
    """A data set that nothing can be learned from."""

    code = "bad_dataset"


class TruthError(ModelError):
    """What is said to be true of an item cannot be held against a model's answers."""

    code = "invalid_truth"


class TrainingFailed(ModelError):
    """A training that came to nothing, though its data set is good."""

    code = "training_failed"
