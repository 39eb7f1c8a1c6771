"""transformers, which workers that run no network of it can do without."""

import importlib
import threading
from contextlib import AbstractContextManager
from typing import Any

from models.records.errors import RecordError

# Building and loading change switches that transformers keeps for the whole process.
LOCK = threading.Lock()


def transformers() -> Any:
    """Import transformers, quietly; raises RecordError saying how to install it."""
    try:
        import transformers
    except ImportError as err:
        raise RecordError(
            "Networks of Hugging Face folders need transformers, which is not installed; run "
            "pip install 'pixelmill[huggingface]'."
        ) from err
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()  # what it warns of is checked here, and refused
    return transformers


def without_random_numbers() -> AbstractContextManager[None]:
    """Have networks built within without numbers to train from, which take time to be made up."""
    initialization = importlib.import_module("transformers.initialization")
    context: AbstractContextManager[None] = initialization.no_init_weights()
    return context
