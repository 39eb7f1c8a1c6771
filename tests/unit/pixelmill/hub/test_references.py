"""How a model of the hub is named, and what it is called here."""

import pytest

from pixelmill.client.hub import Reference, read_reference
from pixelmill.wire.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "repository", "revision"),
    [
        ("timm/resnet18.a1_in1k", "timm/resnet18.a1_in1k", None),
        ("hf:google/vit-base-patch16-224", "google/vit-base-patch16-224", None),
        ("hf:google/vit-base-patch16-224@v2", "google/vit-base-patch16-224", "v2"),
        ("timm/resnet18.a1_in1k@refs/pr/1", "timm/resnet18.a1_in1k", "refs/pr/1"),
        ("hf:timm/resnet18.a1_in1k", "timm/resnet18.a1_in1k", None),
    ],
)
def test_a_name_is_read(text: str, repository: str, revision: str | None) -> None:
    assert read_reference(text) == Reference(repository, revision)


@pytest.mark.parametrize(
    "text",
    [
        "google/vit",
        "hf:vit",
        "hf:a/b/c",
        "hf:../b",
        "hf:a/..",
        "hf:a/b@",
        "hf:a/b@../main",
        "hf:a/b@x y",
        "hf:a--b/c",
        "timm/",
        "timm/a/b",
        "https://huggingface.co/google/vit",
        "",
    ],
)
def test_what_is_no_name_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(InvalidInput, match="timm/NAME or hf:OWNER/NAME") as caught:
        read_reference(text)
    assert "\n" not in str(caught.value)


def test_a_model_is_called_by_the_last_part_of_its_name() -> None:
    assert read_reference("timm/resnet18.a1_in1k").default_name == "my/resnet18.a1_in1k"
    assert read_reference("hf:Own/ViT-Base@v2").default_name == "my/vit-base"
    assert read_reference(f"hf:own/{'a' * 90}").default_name == "my/" + "a" * 64
