"""Loaded networks within a budget: who was used longest ago leaves, and never one in use."""

import gc
import threading
import weakref

import pytest

from tests.e2e.stacks import wait_for
from tests.integration.workers.fakes import FakeNetwork
from workers.engine.device.networks import MakeRoom, Networks


class Loader:
    """Counts what it loads; each network weighs 100 bytes."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def __call__(self, name: str):
        def load(make_room: MakeRoom) -> FakeNetwork:
            make_room(FakeNetwork.size_bytes)
            self.loaded.append(name)
            return FakeNetwork(name=name)

        return load


def use(networks: Networks, loader: Loader, *names: str) -> None:
    for name in names:
        assert networks.borrow(name, loader(name)).record.name == name
        networks.give_back(name)


def test_what_fits_stays_loaded() -> None:
    networks, loader = Networks(200), Loader()
    use(networks, loader, "a", "b", "a", "b")
    assert loader.loaded == ["a", "b"]
    assert networks.size_bytes == 200


def test_the_least_recently_used_leaves_first() -> None:
    networks, loader = Networks(200), Loader()
    use(networks, loader, "a", "b", "a", "c")
    assert networks.size_bytes == 200
    use(networks, loader, "a", "c")
    assert loader.loaded == ["a", "b", "c"]
    use(networks, loader, "b")
    assert loader.loaded == ["a", "b", "c", "b"]


def test_one_in_use_never_leaves_and_another_waits_until_it_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.engine.device.networks._CLOSED_S", 0.1)
    networks, loader = Networks(100), Loader()
    held = networks.borrow("a", loader("a"))
    waiting = threading.Thread(target=lambda: use(networks, loader, "b"))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    assert networks.borrow("a", loader("a")) is held
    networks.give_back("a")
    assert loader.loaded == ["a"], "nothing was read while there was no room"
    networks.give_back("a")
    waiting.join(20)
    assert not waiting.is_alive()
    assert networks.held() == ["b"]
    assert networks.size_bytes == 100


def test_one_that_a_load_waits_for_is_not_lent_again_until_it_has_left() -> None:
    networks, loader = Networks(100), Loader()
    networks.borrow("a", loader("a"))
    load = threading.Thread(target=lambda: use(networks, loader, "b"))
    load.start()
    wait_for(lambda: networks._closed_until, 20, "a load that waits for room")
    again = threading.Thread(target=lambda: use(networks, loader, "a"))
    again.start()
    again.join(0.2)
    assert again.is_alive()
    networks.give_back("a")
    for thread in (load, again):
        thread.join(20)
        assert not thread.is_alive()
    assert loader.loaded == ["a", "b", "a"]


def test_room_is_made_before_anything_is_read() -> None:
    networks, loader = Networks(300), Loader()
    use(networks, loader, "a", "b", "c")
    seen: list[tuple[list[str], int]] = []

    def load(make_room: MakeRoom) -> FakeNetwork:
        make_room(200)
        seen.append((networks.held(), networks.size_bytes))
        return FakeNetwork(name="d")

    networks.borrow("d", load)
    assert seen == [(["c"], 100)]


def test_a_version_that_is_gone_is_dropped_unless_it_is_in_use() -> None:
    networks, loader = Networks(300), Loader()
    use(networks, loader, "a", "b")
    networks.borrow("a", loader("a"))
    networks.drop(["a", "b", "never loaded"])
    assert networks.held() == ["a"]
    networks.give_back("a")
    networks.drop(["a"])
    assert networks.held() == []


def test_one_that_is_larger_than_the_budget_can_still_be_used() -> None:
    networks, loader = Networks(1), Loader()
    use(networks, loader, "a", "a", "b")
    assert loader.loaded == ["a", "b"]
    assert networks.size_bytes == 100


def test_two_threads_that_want_the_same_network_load_it_once() -> None:
    networks, loader = Networks(1000), Loader()
    inside, go_on = threading.Event(), threading.Event()

    def load(make_room: MakeRoom) -> FakeNetwork:
        inside.set()
        assert go_on.wait(20)
        return loader("a")(make_room)

    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(networks.borrow("a", load))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    assert inside.wait(20)
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert loader.loaded == ["a"]
    assert len(set(map(id, found))) == 1


def test_a_load_that_fails_leaves_nothing_behind_and_may_be_tried_again() -> None:
    networks, loader = Networks(1000), Loader()

    def fail(make_room: MakeRoom) -> FakeNetwork:
        raise OSError("the store is away")

    with pytest.raises(OSError, match="away"):
        networks.borrow("a", fail)
    assert networks.size_bytes == 0
    use(networks, loader, "a")


@pytest.mark.parametrize("leaves", ["dropped", "for another", "once loaded", "given back"])
def test_one_that_refers_to_itself_is_gone_at_once(leaves: str) -> None:
    networks, loader = Networks(100), Loader()
    network = networks.borrow("a", loader("a"))
    network.itself = network  # as flattened ones do (models/runtime/flattening.py)
    gone = weakref.ref(network)
    del network
    networks.give_back("a")
    gc.disable()
    try:
        if leaves == "dropped":
            networks.drop(["a"])
        elif leaves == "for another":
            use(networks, loader, "b")
        elif leaves == "once loaded":  # larger than its file
            networks.borrow("b", lambda _: FakeNetwork(name="b"))
        else:
            networks.borrow("a", loader("a"))
            networks.borrow("b", lambda _: FakeNetwork(name="b"))
            networks.give_back("a")
        assert gone() is None
    finally:
        gc.enable()
