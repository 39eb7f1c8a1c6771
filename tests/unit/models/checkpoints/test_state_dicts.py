"""Which state dict of a checkpoint is taken: the only one, the loader's own, or the one named."""

import io
from typing import Any

import numpy as np
import pytest
import torch

from models.checkpoints.state_dicts import Chosen, read_checkpoint
from models.records.errors import WeightsError

TIMM = "timm/resnet18"


def state(value: float) -> dict[str, torch.Tensor]:
    return {"fc.weight": torch.full((2, 2), value), "fc.bias": torch.full((2,), value)}


def read(checkpoint: Any, *wanted: str | None) -> Chosen:
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    buffer.seek(0)
    return read_checkpoint(buffer, *wanted)


def value_of(chosen: Chosen) -> float:
    return float(chosen.tensors["fc.bias"][0])


@pytest.mark.parametrize(
    ("keys", "taken"),
    [
        (("state_dict", "state_dict_ema", "model_ema", "model"), "state_dict_ema"),
        (("model", "model_ema"), "model_ema"),
        (("state_dict", "model"), "state_dict"),
        (("ema", "model"), "model"),
    ],
)
def test_of_several_timms_own_loader_says_which(keys: tuple[str, ...], taken: str) -> None:
    held = {key: state(number) for number, key in enumerate(keys)}
    chosen = read({**held, "epoch": 3, "optimizer": {"state": {0: torch.zeros(2, 2)}}}, TIMM)
    assert value_of(chosen) == keys.index(taken)
    assert f"`{taken}` is taken, as timm's own loader does" in chosen.told
    assert "--state-dict" in chosen.told
    assert all(f"`{key}`" in chosen.told for key in keys)


def test_it_takes_what_timm_takes(tmp_path: Any) -> None:
    from timm.models import load_state_dict

    keys = ("state_dict_ema", "model_ema", "state_dict", "model")
    for first in range(4):
        held = {key: state(number) for number, key in enumerate(keys[first:])}
        torch.save(held, tmp_path / "theirs.pth")
        theirs = load_state_dict(str(tmp_path / "theirs.pth"))
        assert float(theirs["fc.bias"][0]) == value_of(read(held, TIMM))


def test_figures_of_a_training_may_be_numpys() -> None:
    figures = {"best": np.float64(0.5), "epoch": np.int64(3), "last": np.float32(1), "is": np.True_}
    assert value_of(read({"state_dict": state(4), **figures})) == 4


@pytest.mark.parametrize(
    "other", [np.ones(3), np.datetime64("2026-01-01"), np.array([(1,)], [("a", "O")])[0]]
)
def test_what_is_more_than_a_number_of_numpys_is_refused(other: Any) -> None:
    with pytest.raises(WeightsError, match="refused"):
        read({"state_dict": state(4), "other": other})


def test_where_timms_loader_would_fail_the_caller_is_asked() -> None:
    held = {"model": state(0), "model_ema": {"module": state(1)}}
    with pytest.raises(WeightsError, match=r"`model` and `model_ema\.module`.*--state-dict KEY"):
        read(held, TIMM)


@pytest.mark.parametrize("architecture", ["torchvision/resnet18", "own/shades", None])
def test_where_no_loader_is_known_the_caller_is_asked(architecture: str | None) -> None:
    held = {"model": state(0), "model_ema": state(1)}
    with pytest.raises(WeightsError, match=r"`model` and `model_ema`.*--state-dict KEY"):
        read(held, architecture)
    assert value_of(read(held, architecture, "model_ema")) == 1
    assert read(held, architecture, "model_ema").told == ""


def test_the_key_of_the_caller_stands_over_the_loader() -> None:
    held = {"model": state(0), "model_ema": state(1), "ema": {"module": state(2), "decay": 0.9}}
    assert value_of(read(held, TIMM, "model")) == 0
    assert value_of(read(held, TIMM, "ema.module")) == 2
    with pytest.raises(WeightsError, match=r"no state dict 'weights'.*`ema\.module`"):
        read(held, TIMM, "weights")


def test_equal_ones_are_no_choice() -> None:
    chosen = read({"model": state(1), "best": state(1)})
    assert (value_of(chosen), chosen.told) == (1, "")


@pytest.mark.parametrize("key", ["state_dict", "model", "weights", "network"])
def test_the_only_one_is_taken_whatever_its_key(key: str) -> None:
    chosen = read({key: state(4), "criterion": {"weight": torch.zeros(3)}, "epoch": 1})
    assert (value_of(chosen), chosen.told) == (4, "")


def test_wrappers_come_off_in_any_order() -> None:
    for wrapper in ("module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."):
        held = {wrapper + name: value for name, value in state(1).items()}
        assert read(held).tensors.keys() == state(1).keys()
