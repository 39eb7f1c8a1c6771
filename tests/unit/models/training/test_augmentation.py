"""Varied training images: the same for the same seed, in range, moved as they should be."""

import pytest
import torch

from models.training.augmentation import augment

ALL = ("flip", "shift", "rotate", "zoom", "brightness")


def pictures(count: int = 8, height: int = 20, width: int = 28) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(7))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_no_augmentation_gives_the_pictures_themselves() -> None:
    plain = pictures()
    assert torch.equal(augment(plain, (), seeded()), plain)


@pytest.mark.parametrize("name", ALL)
def test_each_kind_changes_pictures_and_keeps_shape_and_range(name: str) -> None:
    varied = augment(pictures(), (name,), seeded())
    assert varied.shape == pictures().shape
    assert not torch.equal(varied, pictures())
    assert 0 <= varied.min() <= varied.max() <= 1


def test_the_same_seed_gives_the_same_pictures_and_another_seed_others() -> None:
    first = augment(pictures(), ALL, seeded())
    assert torch.equal(first, augment(pictures(), ALL, seeded()))
    assert not torch.equal(first, augment(pictures(), ALL, seeded(1)))


def test_a_flip_mirrors_some_pictures_and_leaves_the_others() -> None:
    plain = pictures(32)
    varied = augment(plain, ("flip",), seeded())
    mirrored = [
        torch.allclose(one, other.flip(2), atol=1e-5)
        for one, other in zip(varied, plain, strict=True)
    ]
    kept = [torch.allclose(one, other, atol=1e-5) for one, other in zip(varied, plain, strict=True)]
    assert all(one != other for one, other in zip(mirrored, kept, strict=True))
    assert 4 < sum(mirrored) < 28


def test_a_turned_disc_stays_a_disc_in_a_picture_that_is_wider_than_high() -> None:
    rows, columns = torch.meshgrid(torch.arange(40.0), torch.arange(80.0), indexing="ij")
    disc = ((rows - 19.5) ** 2 + (columns - 39.5) ** 2 < 12**2).float().expand(4, 1, 40, 80)
    turned = augment(disc, ("rotate",), seeded())
    assert (turned - disc).abs().mean() < 0.01
