"""Looks at what runs: workers of each pool that is needed, their versions, the API, the ports."""

import socket

import httpx
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from jobs.base.database import Database
from jobs.base.hints import IO
from jobs.base.settings import Settings
from jobs.checkup.finding import Finding
from jobs.presence.version import installed_version
from jobs.presence.workers import living

_TIMEOUT_S = 5.0
_COMMANDS = {
    "cpu": "python -m workers.launcher --workers 1",
    "gpu": "python -m workers.launcher --gpus 0",
    IO: "python -m workers.launcher --io",
}


def count_workers(session: Session, settings: Settings) -> dict[str, int]:
    """Count the live workers of each pool; those that are needed are there with 0 too.

    Who is drained does not count: it takes no work.
    """
    counts = dict.fromkeys((settings.pool_for_jobs, IO), 0)
    for worker in living(session):
        if worker.drained_at is None:
            counts[worker.pool] = counts.get(worker.pool, 0) + 1
    return counts


def check_workers(database: Database, settings: Settings) -> list[Finding]:
    """Look whether each pool that is needed has a worker, and whether all are of one version."""
    try:
        with database.read() as session:
            counts, workers = count_workers(session, settings), living(session)
    except SQLAlchemyError:
        return []
    drained = [worker.node for worker in workers if worker.drained_at is not None]
    idle = {worker.pool for worker in workers if worker.drained_at is not None}
    findings = [_of_pool(pool, count, pool in idle) for pool, count in sorted(counts.items())]
    if drained:
        findings.append(
            Finding(
                "drained",
                f"{', '.join(drained)} claim nothing",
                "`pixelmill admin resume NAME` when it is over.",
            )
        )
    versions = {worker.version for worker in workers}
    if versions - {installed_version()}:
        told = ", ".join(
            f"{worker.node} {worker.version}"
            for worker in workers
            if worker.version != installed_version()
        )
        what = f"this is {installed_version()}, and there are: {told}"
        findings.append(Finding("versions", what, "Finish the upgrade of those."))
    return findings


def _of_pool(pool: str, count: int, some_are_drained: bool) -> Finding:
    if count:
        return Finding("workers", f"{count} of pool {pool}")
    if some_are_drained:
        return Finding(
            "workers", f"all of pool {pool} are drained", "Resume or start one; jobs wait for it."
        )
    return Finding(
        "workers",
        f"none of pool {pool} lives",
        f"Start one: `{_COMMANDS[pool]}`, or `pixelmill up` for all.",
    )


def check_api(url: str) -> Finding:
    """Look whether the API answers at its address, and whether it is one."""
    try:
        answer = httpx.get(f"{url}/healthz", timeout=_TIMEOUT_S, trust_env=False)
        told = answer.json()
        version = str(told.get("version", "unknown")) if told.get("status") == "ok" else None
    except httpx.HTTPError:
        return Finding(
            "api",
            f"nothing answers at {url}",
            "Start it: `python -m api.front`, or name another with --url.",
        )
    except (ValueError, AttributeError):
        version = None
    if version is None:
        remedy = "Another program has its port: stop that, or choose PIXELMILL_BIND anew."
        return Finding("api", f"what answers at {url} is no Pixelmill", remedy)
    if version != installed_version():
        what = f"the one at {url} is {version}, and this is {installed_version()}"
        return Finding("versions", what, "Start it again after an upgrade.")
    return Finding("api", f"{url} answers, version {version}")


def check_ports(settings: Settings) -> list[Finding]:
    """Look whether figures are served where the settings say so, on this machine."""
    named = {
        "PIXELMILL_WORKER_METRICS": settings.worker_metrics,
        "PIXELMILL_IO_METRICS": settings.io_metrics,
    }
    return [_of_port(name, bind) for name, bind in named.items() if bind]


def _of_port(name: str, bind: str) -> Finding:
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    try:
        address = ("127.0.0.1" if host in ("", "0.0.0.0") else host, int(port))  # noqa: S104
        with socket.create_connection(address, timeout=_TIMEOUT_S):
            return Finding("figures", f"{name}={bind} answers")
    except OSError:
        return Finding(
            "figures",
            f"nothing listens at {name}={bind}",
            "Start the process, or see its log for `figures_not_served`: the port is taken.",
        )
