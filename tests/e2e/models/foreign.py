"""Small networks of other sources, pictures for them, and what their own libraries answer."""

import io
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import timm
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save
from timm.data import create_transform, resolve_model_data_config
from torchvision.transforms import functional as tv

Network = Callable[[torch.Tensor], torch.Tensor]
LABELS = ("cat", "dog", "owl", "newt", "crab")
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
# (height, width): wide, tall, square and small.
SHAPES = ((60, 97), (131, 75), (64, 64), (48, 200), (33, 40), (90, 50), (77, 77), (100, 160))


def picture(number: int) -> Image.Image:
    """Give a picture of soft coloured blots, of one of the shapes in turn."""
    height, width = SHAPES[number % len(SHAPES)]
    rough = np.random.default_rng(number).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC)


SEEN = tuple(map(picture, range(40)))


def write_pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        picture(number).save(folder / f"{number:03d}.png")
    return folder


def read_pictures(folder: Path) -> list[Image.Image]:
    return [Image.open(path).convert("RGB") for path in sorted(folder.iterdir())]


def spread(network: Network, last: torch.nn.Linear, batch: torch.Tensor, sure: float = 2) -> None:
    """Set the last layer so that answers to these pictures differ, and are sure of themselves."""
    with torch.no_grad():
        deviation, mean = torch.std_mean(network(batch), 0)
        last.bias.copy_(2 * (last.bias - mean) / deviation)
        last.weight.copy_(2 * last.weight / deviation[:, None])


def conv_network(
    side: int = 32, layers: int = 1, channels: int = 8, seen: Iterable[Image.Image] = SEEN
) -> torch.nn.Module:
    """Give a classifier with convolutions, whose answers to pictures as those `seen` differ."""
    torch.manual_seed(5)
    body: list[torch.nn.Module] = []
    for at in range(layers):
        body += [torch.nn.Conv2d(channels if at else 3, channels, 3, padding=1), torch.nn.ReLU()]
    last = torch.nn.Linear(channels, len(LABELS))
    network = torch.nn.Sequential(
        *body, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), last
    ).eval()
    spread(network, last, for_imagenet(seen, side))
    return network


def for_imagenet(pictures: Iterable[Image.Image], side: int) -> torch.Tensor:
    """Prepare pictures as torchvision publishes it for networks of ImageNet."""
    prepared = []
    for each in pictures:
        pixels = torch.from_numpy(np.array(each.convert("RGB"))).permute(2, 0, 1)
        resized = tv.resize(pixels, [round(side * 256 / 224)], antialias=True)
        prepared.append(tv.normalize(tv.center_crop(resized, [side, side]) / 255, **IMAGENET))
    return torch.stack(prepared)


def run_onnx(data: bytes, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give a file's one output for each picture of (n, 3, h, w), one by one."""
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (name,) = (each.name for each in session.get_inputs())
    return np.concatenate([session.run(None, {name: each[None]})[0] for each in batch])


def onnx_chances(data: bytes, pictures: Iterable[Image.Image], side: int = 32) -> torch.Tensor:
    """Give the confidences (n, classes) of a classifier."""
    return torch.from_numpy(run_onnx(data, for_imagenet(pictures, side).numpy())).softmax(1)


def timm_network(name: str) -> Any:
    """Give a network of timm with random numbers."""
    torch.manual_seed(7)
    network: Any = timm.create_model(name, pretrained=False, num_classes=len(LABELS)).eval()
    spread(network, network.get_classifier(), for_timm(network, SEEN))
    return network


def for_timm(network: torch.nn.Module, pictures: Iterable[Image.Image]) -> torch.Tensor:
    prepare = create_transform(**resolve_model_data_config(network))
    return torch.stack([prepare(each) for each in pictures])


def packed(network: torch.nn.Module) -> bytes:
    return save({name: each.contiguous() for name, each in network.state_dict().items()})


def exported(network: torch.nn.Module, size: tuple[int, int], **metadata: str) -> bytes:
    """Export a network for batches of any size, as Ultralytics and many others do."""
    file, free = io.BytesIO(), {"x": {0: "n"}, "y": {0: "n"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            torch.zeros(1, 3, *size),
            file,
            opset_version=17,
            dynamo=False,
            input_names=["x"],
            output_names=["y"],
            dynamic_axes=free,
        )
    model = onnx.load_from_string(file.getvalue())
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    data: bytes = model.SerializeToString()
    return data


def check_chances(
    found: Sequence[Sequence[Mapping[str, Any]]],
    chances: torch.Tensor,
    labels: Sequence[str] = LABELS,
) -> None:
    """Every class of every picture: the same first one, confidences within a thousandth."""
    assert len(found) == len(chances)
    assert len({row.argmax().item() for row in chances}) > 1, "one answer to all shows nothing"
    for answer, row in zip(found, chances, strict=True):
        assert answer[0]["class"] == labels[int(row.argmax())]
        told = {each["class"]: each["confidence"] for each in answer}
        assert told == pytest.approx(dict(zip(labels, row.tolist(), strict=True)), abs=1e-3)
