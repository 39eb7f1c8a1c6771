"""Alerts fire on figures that were scraped under a fault, and not on those from before it.

Each fault is made for real, once. What it has moved is then told to Prometheus' rules as if it went
on, minute after minute, because alerts wait for minutes and tests do not. An alert whose fault
takes a machine (memory of a device) fires on figures by hand, in tests/contract/test_alerts.py;
so do those that are Prometheus' own to see (`up`), one of which tests/e2e/test_operation.py has it
see beside a stack.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from api.app import create_app
from api.web.listener import LISTENER
from jobs.base.bootstrap import Ground
from jobs.base.database import Database
from jobs.metrics.queue_figures import QueueFigures
from jobs.metrics.rendering import render
from jobs.presence.workers import announce, drain
from jobs.tables import Delivery, Job, ModelVersion, Shard
from jobs.tenants.keys import NewKey
from models.records.record import Limits
from tests.contract.test_alerts import ALERTS, ROOT, RULES, name_of
from tests.integration.api.callers import Caller
from tests.integration.jobs.builders import claim_one, run_one, submit_items
from tests.integration.workers.conftest import with_
from tests.integration.workers.fakes import FakeNetwork, run_with, submit_contents
from tests.receivers import receiver_server
from workers.app import policy_of
from workers.egress import Egress
from workers.engine.device.networks import MakeRoom, Networks
from workers.engine.stages import Stages
from workers.errands.delivery import Lines, deliver_next
from workers.errands.sweeper import sweep
from workers.launcher import Launcher, slot_of
from workers.walls.pictures import Asked, Packed, PictureDecoders
from workers.walls.processes import ForkServer

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not on PATH")
AWAY = "postgresql://nobody@127.0.0.1:1/none"
BY_HAND = {"ApiDown", "WorkersDown", "DeviceMemory"}
KILLED = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
FIGURES_OF_AN_API = """
from jobs.metrics import metrics
from jobs.metrics.rendering import render
from jobs.presence.version import installed_version
metrics.VERSION.labels(installed_version()).set(1)
print(render().decode())
"""

Scrape = dict[str, tuple[float, bool]]


class House:
    """A ground floor with all that a fault is made of."""

    def __init__(
        self, ground: Ground, tenant: NewKey, model: ModelVersion, stages: Callable[..., Stages]
    ) -> None:
        self.ground, self.tenant, self.model, self.stages = ground, tenant, model, stages
        # Which database the figures are asked of.
        self.database = ground.database
        # What another process told.
        self.beside = ""

    def submit(self, count: int = 1, **more: Any) -> Job:
        return submit_items(self.ground, self.tenant, self.model, count=count, **more)

    def change(self, table: Any, **values: Any) -> None:
        with self.ground.database.write() as session:
            session.execute(update(table).values(**values))

    def scrape(self) -> Scrape:
        """Give every sample as Prometheus reads it, and whether it counts up."""
        text = render(QueueFigures(self.database)).decode()
        return _samples(self.beside, "other") | _samples(text, "h")


def _samples(text: str, instance: str) -> Scrape:
    return {
        _written(sample.name, {**sample.labels, "instance": instance}): (
            sample.value,
            family.type in ("counter", "histogram"),
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _written(name: str, labels: dict[str, str]) -> str:
    said = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{name}{{{said}}}"


@pytest.fixture
def house(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: Callable[..., Stages],
) -> House:
    allowing = with_(ground, egress_allow="127.0.0.0/8")
    return House(allowing, tenant, digits_model, new_stages)


def database_away(house: House) -> None:
    house.database = Database(AWAY)


def no_worker(house: House) -> None:
    announce(house.ground.database, "a-1/cpu0", "cpu", "1")
    with house.ground.database.write() as session:
        drain(session, "a-1")
    house.submit()


def no_io_worker(house: House) -> None:
    # Nobody prepares it: its items lie in a file, which an io process would list.
    house.submit(requests=None, input_file_id="file_of_nobody")


def queue_stands_still(house: House) -> None:
    house.submit()
    house.change(Job, in_progress_at=Job.in_progress_at - 1000)


def queue_old(house: House) -> None:
    house.submit(priority="high")
    house.change(Job, in_progress_at=Job.in_progress_at - 4000)


def leases_expire(house: House) -> None:
    for _ in range(2):
        house.submit()
        claim_one(house.ground)
    house.change(Shard, lease_until=Shard.lease_until - 1000)
    sweep(house.ground)


def items_fail(house: House) -> None:
    network = FakeNetwork()
    submit_contents(house.ground, house.tenant, house.model, [b"1", b"none", b"broken", b"2"] * 8)
    assert run_with(house.stages(house.ground), claim_one(house.ground), network)


def webhooks_fail(house: House) -> None:
    with ExitStack() as stack:
        receiver = stack.enter_context(receiver_server())
        receiver.answers = [500]
        egress = Egress(policy_of(house.ground.settings, "io"))
        stack.callback(egress.close)
        house.submit(webhook={"url": receiver.url, "events": ["job.completed"]})
        assert run_one(house.ground, claim_one(house.ground))
        assert deliver_next(house.ground, egress, Lines(1))


def deliveries_overdue(house: House) -> None:
    house.submit(webhook={"url": "https://example.com/", "events": ["job.completed"]})
    assert run_one(house.ground, claim_one(house.ground))
    house.change(Delivery, due_at=Delivery.due_at - 700)


def api_errors(house: House) -> None:
    app = create_app(house.ground)
    # A table is gone that every request is answered from.
    with house.ground.database.write() as session:
        session.connection().exec_driver_sql("ALTER TABLE api_keys RENAME TO gone")
    for _ in range(3):
        assert Caller(app, house.tenant).get("/v1/jobs").status_code >= 500
    app.extensions[LISTENER].close()


def api_slow(house: House) -> None:
    app = create_app(house.ground)
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with house.ground.database.write() as session:
            session.connection()  # with which the transaction begins
            is_held.set()
            may_end.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert is_held.wait(20)
    # From the moment in which the request is being answered.
    app.before_request(lambda: threading.Timer(3.0, may_end.set).start())
    # It writes, and waits for who writes already.
    Caller(app, house.tenant).post("/v1/files", query_string={"filename": "a"}, data=b"a")
    holder.join()
    app.extensions[LISTENER].close()


def networks_thrash(house: House) -> None:
    networks = Networks(FakeNetwork.size_bytes)

    def load(make_room: MakeRoom) -> FakeNetwork:
        make_room(FakeNetwork.size_bytes)
        return FakeNetwork()

    # Two that do not fit together, asked for in turn: so often in a minute.
    for number in range(20):
        networks.borrow(str(number % 2), load)
        networks.give_back(str(number % 2))


def workers_die(house: House) -> None:
    with tempfile.TemporaryDirectory() as folder:
        slot = slot_of("cpu", "a-1/cpu0", 1, {"PIXELMILL_FLIGHT": f"{folder}/0"})
        # It ends as one does that the kernel kills, and the launcher hears of it.
        launcher = Launcher([slot], 5, command=lambda _: KILLED, on_death=lambda _: launcher.stop())
        launcher.run()


def decoders_die(house: House) -> None:
    with ExitStack() as stack:
        server = ForkServer("tests.integration.workers.walls.hostile")
        stack.callback(server.close)
        decoders = PictureDecoders(server, 256 * 2**20, seconds=20)
        stack.callback(decoders.close)
        # Two of a minute, as a caller sends who has a folder of them.
        pictures = [Packed(content, "raw", len(content)) for content in [b"trick:crash"] * 2]
        asked = Asked(1, Limits(max_pixels=1_000_000))
        assert all(each.error for each in decoders.decode(pictures, asked))


def mixed_versions(house: House) -> None:
    with tempfile.TemporaryDirectory() as folder:
        older = Path(folder) / "pixelmill-0.0.1.dist-info"
        older.mkdir()
        (older / "METADATA").write_text("Metadata-Version: 2.1\nName: pixelmill\nVersion: 0.0.1\n")
        done = subprocess.run(
            [sys.executable, "-c", FIGURES_OF_AN_API],
            env={**os.environ, "PYTHONPATH": f"{folder}:{ROOT}"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    house.beside = done.stdout
    app = create_app(house.ground)
    app.extensions[LISTENER].close()


FAULTS: dict[str, Callable[[House], None]] = {
    "DatabaseAway": database_away,
    "NoWorker": no_worker,
    "NoIoWorker": no_io_worker,
    "QueueStandsStill": queue_stands_still,
    "QueueOld": queue_old,
    "LeasesExpire": leases_expire,
    "ItemsFail": items_fail,
    "WebhooksFail": webhooks_fail,
    "DeliveriesOverdue": deliveries_overdue,
    "ApiErrors": api_errors,
    "ApiSlow": api_slow,
    "NetworksThrash": networks_thrash,
    "WorkersDie": workers_die,
    "DecodersDie": decoders_die,
    "MixedVersions": mixed_versions,
}


def test_every_alert_is_made_to_fire_by_a_fault_or_by_hand() -> None:
    assert {name_of(rule) for rule in RULES} == set(FAULTS) | BY_HAND


@needs_promtool
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", FAULTS)
def test_an_alert_fires_on_what_is_scraped_under_its_fault(
    name: str, house: House, tmp_path: Path
) -> None:
    before = house.scrape()
    FAULTS[name](house)
    after = house.scrape()
    assert is_firing(name, before, before, tmp_path) is False
    assert is_firing(name, before, after, tmp_path) is True


def is_firing(name: str, before: Scrape, after: Scrape, folder: Path) -> bool:
    """Say whether an alert fires after 90 minutes in which a fault was made once a minute."""
    series = [
        {"series": written, "values": _going_on(before.get(written, (0.0, False))[0], *found)}
        for written, found in after.items()
    ]
    asked = f'max(ALERTS{{alertname="Pixelmill{name}",alertstate="firing"}})'
    given = {"interval": "1m", "input_series": series}
    for expected in (False, True):
        samples = [{"labels": "{}", "value": 1}] if expected else []
        test = {"expr": asked, "eval_time": "90m", "exp_samples": samples}
        path = folder / "faults.yml"
        cases = [{**given, "promql_expr_test": [test]}]
        path.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "tests": cases}))
        assert PROMTOOL is not None
        done = subprocess.run([PROMTOOL, "test", "rules", path], capture_output=True, text=True)
        if done.returncode == 0:
            return expected
    raise AssertionError(done.stdout + done.stderr)


def _going_on(before: float, after: float, counts_up: bool) -> str:
    return f"{before}+{after - before}x100" if counts_up else f"{after}x100"
