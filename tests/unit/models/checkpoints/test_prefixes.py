"""What a training puts before every name is taken off, and a network's own beginnings are not."""

from models.checkpoints.prefixes import names_ending, shared_beginning, without_prefix

OWN = {f"layer{each}.weight": each for each in range(20)}


def under(prefix: str, names: dict[str, int] = OWN) -> dict[str, int]:
    return {prefix + name: value for name, value in names.items()}


def test_one_prefix_or_two_are_taken_off() -> None:
    for prefix in ("model.", "backbone.", "net.model.", "module."):
        assert without_prefix(under(prefix), OWN) == OWN


def test_the_weights_of_a_loss_may_lie_beside_it() -> None:
    assert without_prefix({**under("model."), "criterion.weight": 7}, OWN) == OWN


def test_what_only_training_counts_may_be_missing() -> None:
    assert without_prefix(under("model."), [*OWN, "bn.num_batches_tracked"]) == OWN


def test_of_two_networks_none_is_chosen() -> None:
    both = {**under("model."), **under("ema.")}
    assert without_prefix(both, OWN) == both


def test_a_network_that_is_a_small_part_of_a_file_is_not_chosen() -> None:
    larger = {"model.w": 0, "head.w": 1, "head.b": 2}
    assert without_prefix(larger, ["w"]) == larger


def test_names_that_are_the_networks_own_stay() -> None:
    own = under("backbone.")
    assert without_prefix(own, own) == own
    # And where only a part is found under it, nothing is guessed.
    part = dict(list(under("model.").items())[1:])
    assert without_prefix(part, OWN) == part


def test_what_else_lies_under_the_prefix_is_kept_to_be_told() -> None:
    assert without_prefix({**under("model."), "model.more": 5}, OWN) == {**OWN, "more": 5}


def test_a_beginning_is_told_up_to_where_names_part() -> None:
    assert shared_beginning(under("net.model.")) == "net.model."
    assert shared_beginning(OWN) == ""
    assert shared_beginning({"fc.weight": 0}) == "fc."
    assert shared_beginning([]) == ""


def test_a_tensors_own_name_comes_before_longer_ones() -> None:
    assert names_ending(["aux.fc.weight", "fc.weight"], "fc.weight") == ["fc.weight"]
    assert names_ending(["model.fc.weight", "xfc.weight"], "fc.weight") == ["model.fc.weight"]
