"""Commands about models and their log."""

import json

import pytest

VERSION = {
    "id": "my/cats@3", "name": "my/cats", "version": 3, "state": "ready", "author": "key",
    "metrics": {"accuracy": 0.99}, "aliases": {"production": 3}, "created_at": 0,
}  # fmt: skip


_HEADER = b'{"fc.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
NUMBERS = len(_HEADER).to_bytes(8, "little") + _HEADER + b"nums"


@pytest.fixture
def pushed(server, say, tmp_path):
    """Weights, their record, and a server that takes them."""
    server.on("POST", "/v1/models/my/cats/versions", say.answer(201, VERSION))
    weights, record = tmp_path / "w.safetensors", tmp_path / "record.json"
    weights.write_bytes(NUMBERS)
    record.write_text('{"architecture": "digits"}')
    return ["push", "my/cats", str(weights), "--record", str(record)]


def test_push_sends_weights_and_record_and_prints_the_versions_name(server, run, pushed):
    done = run(*pushed)
    assert (done.exit_code, done.stdout) == (0, "my/cats@3\n")
    (seen,) = server.to("POST", "/v1/models/my/cats/versions")
    assert seen.headers["prefer"] == "wait=50"
    assert int(seen.headers["content-length"]) == len(seen.body)
    for part in (b'name="record"', b'{"architecture": "digits"}', b'name="weights"', NUMBERS):
        assert part in seen.body


def test_push_waits_for_the_worker_and_tells_of_a_refusal(server, say, run, pushed):
    waits, bad = VERSION | {"state": "validating"}, VERSION | {"state": "refused", "reason": "NaN."}
    server.on("POST", "/v1/models/my/cats/versions", say.answer(202, waits))
    server.on("GET", "/v1/models/my/cats/versions/3", say.answer(200, waits), say.answer(200, bad))
    done = run(*pushed)
    assert done.exit_code == 3
    assert "NaN." in done.stderr
    server.on("GET", "/v1/models/my/cats/versions/3", say.answer(200, waits))
    assert run(*pushed, "--timeout", "0").exit_code == 4


def test_push_of_what_is_not_there_is_one_line_and_exit_2(run, pushed, tmp_path):
    assert run(*pushed[:2], str(tmp_path / "absent"), *pushed[3:]).exit_code == 2
    (tmp_path / "record.json").write_text("no json")
    assert "cannot be read as JSON" in run(*pushed).stderr


def test_versions_show_state_aliases_and_metrics(server, say, run):
    server.on("GET", "/v1/models/my/cats/versions", say.page([VERSION]))
    shown = run("versions", "my/cats").stdout
    for word in ("3", "ready", "production", "accuracy 0.99"):
        assert word in shown
    server.on("DELETE", "/v1/models/my/cats/versions/3", say.answer(200, {"deleted": True}))
    assert "my/cats@3 deleted" in run("delete-version", "my/cats", "3").stdout


def test_an_alias_is_moved_with_a_canary_and_removed(server, say, run):
    path = "/v1/models/digits/aliases/production"
    figures = {"items": 7, "faults": 0, "error_rate": 0.0, "item_ms": 1.5}
    canary = {"version": 2, "percent": 20, "canary_figures": figures}
    view = {"alias": "production", "version": 1, "canary": canary}
    server.on("PUT", path, say.answer(200, view))
    options = ["--canary", "2", "--percent", "20", "--min-items", "5"]
    done = run("alias", "digits", "production", "1", *options)
    assert "version 2 gets 20 %: 7 items" in done.stdout
    sent = {"version": 1, "canary": {"min_items": 5, "version": 2, "percent": 20.0}}
    assert server.to("PUT", path)[-1].json == sent
    run("alias", "digits", "production", "2")
    assert server.to("PUT", path)[-1].json == {"version": 2}
    assert run("alias", "digits", "production", "1", "--canary", "2").exit_code == 2
    assert run("alias", "digits", "production", "1", "--min-items", "2").exit_code == 2
    last = {"version": 2, "outcome": "rolled_back", "reason": "It failed."}
    ended = {"alias": "production", "version": 1, "canary": None, "last_canary": last}
    server.on("GET", "/v1/models/digits/aliases", say.page([ended]))
    assert "version 2 rolled back: It failed." in run("aliases", "digits").stdout
    server.on("DELETE", path, say.answer(200, {"deleted": True}))
    assert run("unalias", "digits", "production").stdout == "digits@production removed\n"


def test_audit_lists_who_changed_what(server, say, run):
    entry = {"id": "1", "at": 0, "who": "key1", "action": "alias.moved", "subject": "digits@prod"}
    server.on("GET", "/v1/audit", say.page([entry]))
    assert "key1  alias.moved  digits@prod" in run("audit").stdout
    assert json.loads(run("audit", "--json").stdout) == [entry]
