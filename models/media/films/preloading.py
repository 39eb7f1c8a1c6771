"""Everything that decoding films imports, imported at once: PyAV imports parts when it needs them.

A decoder process calls this before it gives up the right to open files.
"""

import base64
import importlib
import io
import pkgutil

from models.media.films.video import open_video
from models.media.sampling import Sampling
from models.records.record import Limits

# Matroska of three interlaced frames of MPEG-2, 16 x 16 and grey.
_FILM = (
    "GkXfo6NChoEBQveBAULygQRC84EIQoKIbWF0cm9za2FCh4EEQoWBAhhTgGcBAAAAAAACtBFNm3TAv4Sc99o3TbuLU6uE"
    "FUmpZlOsgaFNu4tTq4QWVK5rU6yBzE27jFOrhBJUw2dTrIIBM027jFOrhBxTu2tTrIICduwBAAAAAAAAUwAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAFUmpZqa/hMeIiDcq17GDD0JATYCETGF2ZldBhExhdmZEiYhAXgAAAAAAABZUrmviv4R9CucVrgEAAAAAAABT"
    "14EBc8WIAAAAAAAAAAGcgQAitZyDdW5kiIEAhodWX01QRUcyg4EBI+ODhAJiWgDgk7CBELqBEJqBAZ2BDlWwhFW5gQFV"
    "7oEA7AEAAAAAAAACAAASVMNn2r+E2zaIOHNz0WPAi2PFiAAAAAAAAAABZ8icRaOHRU5DT0RFUkSHj0xhdmMgbXBlZzJ2"
    "aWRlb2fIoUWjiERVUkFUSU9ORIeTMDA6MDA6MDAuMTIwMDAwMDAwAB9DtnVA3r+Ep/ENjeeBAKPFgQAAgAAAAbMBABAT"
    "///gGAAAAbUUggABAAAAAAG4AAgAQAAAAQAAD//4AAABtY//8wAAAAABARMtKUiIAAABAhMtKUiIo8WBACiAAAABswEA"
    "EBP//+AYAAABtRSCAAEAAAAAAbgACACAAAABAAAP//gAAAG1j//zAAAAAAEBEy0pSIgAAAECEy0pSIijxYEAUIAAAAGz"
    "AQAQE///4BgAAAG1FIIAAQAAAAABuAAIAQAAAAEAAA//+AAAAbWP//MAAAAAAQETLSlIiAAAAQITLSlIiBxTu2u5v4RY"
    "DtXiu4+zgQC3iveBAfGCAZLwgQm7j7OBKLeK94EB8YIBkvCBULuPs4FQt4r3gQHxggGS8IGX"
)


def preload() -> None:
    """Import all of PyAV, and decode a tiny film as an interlaced one is."""
    import av

    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.rpartition(".")[2].startswith("_"):
            importlib.import_module(module.name)
    data = base64.b64decode(_FILM)
    with open_video(io.BytesIO(data), len(data), Limits()) as film:
        for _ in film.frames(Sampling(every_nth=1)):
            pass
