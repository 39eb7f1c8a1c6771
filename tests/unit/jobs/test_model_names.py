"""Names of models: everybody's, one's own, and nobody else's."""

import pytest

from jobs.base.errors import InvalidRequest, UnknownModel
from jobs.versions.names import check_alias, check_new_name, owner_of, shown_name, stored_name

ACME, OTHER = "ten_01m86gam5zgqe760bb05rp3mmr", "ten_01m86gam5z8gt59yrr453cdm8f"


def test_ones_own_model_bears_ones_id_and_is_shown_without_it() -> None:
    stored = stored_name("my/cats", ACME)
    assert (stored, owner_of(stored), shown_name(stored)) == (f"{ACME}/cats", ACME, "my/cats")


@pytest.mark.parametrize("name", ["digits", "torchvision/resnet50", "tens/of"])
def test_a_shared_model_is_stored_and_shown_as_it_is_called(name: str) -> None:
    assert stored_name(name, ACME) == shown_name(name) == name
    assert owner_of(name) is None


@pytest.mark.parametrize("owner", [ACME, OTHER])
def test_the_stored_form_of_an_own_model_is_no_name_for_anybody(owner: str) -> None:
    with pytest.raises(UnknownModel):
        stored_name(f"{owner}/cats", ACME)


@pytest.mark.parametrize("name", ["cats", "my/cats", "my/cats-2.1/small", "a/b/c"])
def test_good_names_pass(name: str) -> None:
    check_new_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "", "my/", "my/my/cats", "/", "a//b", "Cats", "my/Cats", "../up", "my/..", "a/b/c/d", "a b",
        "versions", "my/versions", "cats/aliases", "ten_cats", f"{OTHER}/cats", f"my/{OTHER}/cats",
        "my/" + "x" * 65, "cäts", "cats@3", "cats\n",
    ],
)  # fmt: skip
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        check_new_name(name)


@pytest.mark.parametrize("alias", ["", "3", "-a", "A", "a b", "a/b", "x" * 65, "a\n", "ä"])
def test_an_alias_is_one_small_word(alias: str) -> None:
    check_alias("production")
    with pytest.raises(InvalidRequest):
        check_alias(alias)
