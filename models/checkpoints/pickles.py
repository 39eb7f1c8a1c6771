"""What a pickle holds and what reading it would run, told by its opcodes; none of it is run.

    a zip archive of torch.save   data.pkl names what it calls: tensors, or classes and functions
    torch's older format          some pickles one after another, then the numbers
    a TorchScript archive         code beside them
    any other pickle              no checkpoint at all

Needs no torch, so that a refusal takes no seconds. Which names are harmless is what torch's own
`weights_only` takes (torch/_weights_only_unpickler.py); that reader has the last word.
"""

import pickletools
import zipfile
from collections.abc import Iterator
from typing import IO, Final

from models.records.errors import WeightsError

SAVE: Final = (
    "In the program that made it, save the numbers alone, "
    "`torch.save(model.state_dict(), 'weights.pth')`, or export the network to ONNX."
)
_YOLO = "Export it to ONNX: `yolo export model=best.pt format=onnx` (YOLOv5 and v7: export.py)."
_YOLO_BEGINS = ("ultralytics.", "models.yolo.", "models.common.")
_HARMLESS = frozenset(
    (
        "collections.OrderedDict",
        "collections.Counter",
        "torch.nn.parameter.Parameter",
        "_codecs.encode",
        "builtins.bytearray",
        "builtins.set",
        "builtins.complex",
        "__builtin__.bytearray",
        "__builtin__.set",
        "__builtin__.complex",
        # The settings of a training, which timm and others save beside the numbers.
        "argparse.Namespace",
        # Figures, such as the best accuracy.
        "numpy.dtype",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
    )
)
_MODULES = "torch.nn."
# What torch's older format begins with, as a pickle of its own; the third after it names things.
_OLD_MAGIC = 0x1950A86A20F9469CFC6C
_OLD_PICKLES = 4
# Larger than any list of names; whatever is longer is left to torch's reader.
_MOST_BYTES = 64 * 2**20
_NAMES_SHOWN = 3


def check_pickle(file: IO[bytes]) -> None:
    """Refuse a pickle that is damaged, no checkpoint of torch's, or needs code to be read.

    Raises WeightsError, saying what was found and what to do instead.
    """
    begins = file.read(4)
    file.seek(0)
    try:
        if begins == b"PK\x03\x04":
            names = _named_in_archive(file)
            is_torchs = True
        else:
            is_torchs, names = _named_in_file(file)
    except zipfile.BadZipFile as err:
        raise WeightsError(
            "The pickle is refused: it is a damaged zip archive, as of a copy that was cut short. "
            "Fetch or save it again."
        ) from err
    except (ValueError, EOFError, IndexError) as err:
        raise WeightsError(
            f"The pickle is refused: it is damaged ({_reason(err)}). Fetch or save it again."
        ) from err
    _refuse_code(names)
    if not is_torchs:
        raise WeightsError(
            f"The pickle is refused: it is no checkpoint that torch.save wrote. {SAVE}"
        )


def _refuse_code(names: list[str]) -> None:
    foreign = [name for name in names if not _is_harmless(name)]
    if not foreign:
        return
    remedy = _YOLO if any(name.startswith(_YOLO_BEGINS) for name in foreign) else SAVE
    if any(name.startswith(_MODULES) for name in foreign):
        raise WeightsError(
            f"The pickle is refused: it holds a whole network (class {foreign[0]}) and not its "
            f"numbers alone, and reading that runs its code. {remedy}"
        )
    shown = ", ".join(foreign[:_NAMES_SHOWN])
    rest = f" and {len(foreign) - _NAMES_SHOWN} more" if len(foreign) > _NAMES_SHOWN else ""
    raise WeightsError(
        f"The pickle is refused: reading it would run {shown}{rest}. Nothing was run. {remedy}"
    )


def _is_harmless(name: str) -> bool:
    if name in _HARMLESS:
        return True
    return name.startswith("torch.") and not name.startswith(_MODULES)


def _named_in_archive(file: IO[bytes]) -> list[str]:
    """Give what the pickle of a zip archive names; raises WeightsError for archives of code."""
    with zipfile.ZipFile(file) as archive:
        members = archive.namelist()
        parts = {part for member in members for part in member.split("/")[1:]}
        if "constants.pkl" in parts or "code" in parts:
            raise WeightsError(
                f"The pickle is refused: it is a TorchScript archive, which carries code. {SAVE}"
            )
        if "archive_format" in parts or "serialized_exported_program.json" in members:
            raise WeightsError(
                "The pickle is refused: it is a program of torch.export, which carries code. "
                f"{SAVE}"
            )
        found = [member for member in members if member.split("/")[-1] == "data.pkl"]
        if not found:
            raise WeightsError(
                "The pickle is refused: it is a zip archive without data.pkl, and no checkpoint of "
                f"torch's. {SAVE}"
            )
        if archive.getinfo(found[0]).file_size > _MOST_BYTES:
            return []
        with archive.open(found[0]) as pickled:
            return list(dict.fromkeys(_named(pickled)))


def _named_in_file(file: IO[bytes]) -> tuple[bool, list[str]]:
    """Say whether a bare pickle is a checkpoint in torch's older format, and what it names."""
    first = list(pickletools.genops(file))
    if not any(value == _OLD_MAGIC for _, value, _ in first):
        file.seek(0)
        return False, list(dict.fromkeys(_named(file)))
    names: dict[str, None] = {}
    for _ in range(1, _OLD_PICKLES):
        names |= dict.fromkeys(_named(file))
    return True, list(names)


def _named(file: IO[bytes]) -> Iterator[str]:
    """Yield what one pickle names, in its order, as "module.name"."""
    texts: list[str] = []
    memo: dict[int, object] = {}
    last: object = None
    for opcode, value, _ in pickletools.genops(file):
        if opcode.name in ("GLOBAL", "INST"):
            last = None
            yield ".".join(str(value).split(" ", 1))
        elif opcode.name == "STACK_GLOBAL":
            last = None
            yield ".".join(texts[-2:])
        elif opcode.name == "MEMOIZE":
            memo[len(memo)] = last
        elif opcode.name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[int(value or 0)] = last
        else:
            is_recalled = opcode.name in ("GET", "BINGET", "LONG_BINGET")
            last = memo.get(int(value or 0)) if is_recalled else value
            if isinstance(last, str):
                texts = [*texts[-1:], last]


def _reason(err: Exception) -> str:
    return " ".join(str(err).split())[:120] or type(err).__name__
