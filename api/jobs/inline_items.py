"""The items of a JSON body: every one that is at fault is named, by its place in the list."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from jobs.base.errors import InvalidInput, InvalidRequest, LineError
from jobs.inputs.requests import Request, RequestError, check_url_form, parse_request


def read_requests(
    values: Sequence[object], most_faults: int, max_bytes: int
) -> tuple[Request, ...]:
    """Read `requests`, whose `data` may be of `max_bytes` each; raises InvalidInput."""
    read = partial(parse_request, max_bytes=max_bytes)
    return _read(read, values, "requests", most_faults)


def read_urls(urls: Sequence[str], most_faults: int) -> tuple[Request, ...]:
    """Read `urls`; each item's custom_id is its index. Raises InvalidInput."""
    return _read(_request_of_url, urls, "urls", most_faults)


def read_input(value: object, max_bytes: int) -> Request:
    """Read the `input` of a single prediction; raises InvalidRequest."""
    try:
        return parse_request({"input": value}, 0, max_bytes)
    except RequestError as err:
        raise InvalidRequest(str(err), param=err.param) from err


def _request_of_url(url: str, index: int) -> Request:
    check_url_form(url, "")
    return Request(str(index), url=url)


def _read(
    read: Callable[[Any, int], Request], values: Sequence[object], member: str, most_faults: int
) -> tuple[Request, ...]:
    faults: list[LineError] = []
    requests: list[Request] = []
    for index, value in enumerate(values):
        try:
            requests.append(read(value, index))
        except RequestError as err:
            faults.append(_fault(err, member, index))
            if len(faults) == most_faults:
                break
    if faults:
        raise InvalidInput(faults[0]["message"], param=faults[0]["param"], lines=faults)
    return tuple(requests)


def _fault(err: RequestError, member: str, index: int) -> LineError:
    # People count from one, and so do the line numbers of JSONL; paths count as JSON does.
    param = ".".join(part for part in (member, str(index), err.param) if part)
    message = f"Item {index + 1}: {err}"
    return {"code": "invalid_request", "message": message, "param": param, "line": index + 1}
