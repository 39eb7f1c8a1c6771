"""One requested item: each form that is read, each fault that is told, and no other error."""

import base64
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobs.inputs.budgets import LONGEST_ID, LONGEST_URL
from jobs.inputs.requests import Request, RequestError, parse_request

PICTURE = base64.b64encode(b"picture").decode()
BODY = {"model": "digits", "input": {"url": "https://x.org/1"}}


@pytest.mark.parametrize(
    ("given_input", "expected"),
    [
        ({"url": "https://x.org/1"}, {"url": "https://x.org/1"}),
        ({"file_id": "file_1"}, {"file_id": "file_1"}),
        ({"data": PICTURE}, {"data": b"picture"}),
        ({"data": f"data:image/png;base64,{PICTURE}"}, {"data": b"picture"}),
        ({"data": ""}, {"data": b""}),
    ],
)
def test_each_form_of_input_is_read(given_input, expected):
    asked = {"custom_id": "a", "input": given_input}
    assert parse_request(asked, 7) == Request("a", **expected)


def test_the_custom_id_defaults_to_the_index():
    assert parse_request({"input": {"file_id": "f"}}, 7).custom_id == "7"
    assert parse_request({"input": {"file_id": "f"}, "custom_id": None}, 8).custom_id == "8"


def test_the_form_of_the_openai_batch_api_is_read():
    body = {**BODY, "params": {"top_k": 2}}
    line = {"custom_id": "a", "method": "POST", "url": "/v1/predictions", "body": body}
    expected = Request("a", url="https://x.org/1", model="digits", params={"top_k": 2})
    assert parse_request(line, 0) == expected


FAULTS = [
    ([], "", "JSON object"),
    ("text", "", "JSON object"),
    (None, "", "JSON object"),
    ({}, "input", "exactly one of url, file_id and data"),
    ({"input": {}}, "input", "exactly one"),
    ({"input": {"url": "http://x", "data": ""}}, "input", "exactly one"),
    ({"input": {"url": 3}}, "input", "string"),
    ({"input": {"path": "/etc/passwd"}}, "input", "url, file_id or data"),
    ({"input": {"url": "ftp://x.org"}}, "input.url", "http:// or https://"),
    ({"input": {"url": "http://" + "x" * LONGEST_URL}}, "input.url", str(LONGEST_URL)),
    ({"input": {"url": "https://x.org/\ud800"}}, "input", "string"),
    ({"input": {"file_id": "file\0"}}, "input", "string"),
    ({"input": {"data": "???"}}, "input.data", "base64"),
    ({"input": {"data": "YQ==="}}, "input.data", "base64: character 3 is"),
    ({"input": {"data": "ü"}}, "input.data", "base64"),
    ({"custom_id": "", "input": {"file_id": "f"}}, "custom_id", "1 to 512"),
    ({"custom_id": "x" * (LONGEST_ID + 1), "input": {"file_id": "f"}}, "custom_id", "1 to 512"),
    ({"custom_id": 5, "input": {"file_id": "f"}}, "custom_id", "string"),
    ({"custom_id": "a\ud800", "input": {"file_id": "f"}}, "custom_id", "string"),
    ({"custom_id": "a\0", "input": {"file_id": "f"}}, "custom_id", "string"),
    ({"imput": {}}, "imput", "custom_id, input"),
    ({"body": BODY, "input": {}}, "input", "body, custom_id, method, url"),
    ({"body": []}, "body", "JSON object"),
    ({"body": BODY, "method": "GET"}, "url", "POST"),
    ({"body": BODY, "url": "/v1/chat/completions"}, "url", "/v1/predictions"),
    ({"body": {**BODY, "model": None}}, "body.model", "name a model"),
    ({"body": {**BODY, "params": []}}, "body.params", "JSON object"),
    ({"body": {**BODY, "stream": True}}, "body.stream", "input, model, params"),
    ({"body": {**BODY, "input": {"url": "x"}}}, "body.input.url", "http://"),
]


@pytest.mark.parametrize(("value", "param", "told"), FAULTS)
def test_a_fault_is_told_with_the_member_that_is_at_fault(value, param, told):
    with pytest.raises(RequestError, match=told) as caught:
        parse_request(value, 0)
    assert caught.value.param == param


def test_a_strange_word_of_a_caller_is_shown_short_and_printable():
    strange = "\0\ud800\x1b[31m" + "x" * 100_000
    with pytest.raises(RequestError) as caught:
        parse_request({strange: 1}, 0)
    told = f"{caught.value}{caught.value.param}"
    assert told.isprintable()
    assert len(told) < 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
WORDS = st.sampled_from(
    ["custom_id", "input", "method", "url", "body", "model", "params", "file_id", "data"]
)
# Half surrogate pairs too: JSON can write them, and no database takes them.
TEXT = st.text(st.characters(codec=None)) | st.just("/v1/predictions") | st.just("POST")
NEAR = st.recursive(
    TEXT | JSON,
    lambda inner: st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=400)
@given(NEAR, st.integers(0, 10))
@example({"input": {"data": "data:"}}, 0)
@example({"input": {"url": "http://"}}, 0)
def test_whatever_json_comes_either_a_sound_request_or_a_request_error_comes_of_it(value, index):
    try:
        request = parse_request(value, index)
    except RequestError as err:
        told = f"{err}{err.param}"
    else:
        told = ""
        check_soundness(request)
    assert told == "" or told.isprintable()


def check_soundness(request):
    sources = [request.url, request.file_id, request.data]
    assert sum(source is not None for source in sources) == 1
    assert 1 <= len(request.custom_id) <= LONGEST_ID
    for text in (request.custom_id, request.url or "", request.file_id or ""):
        assert "\0" not in text
        text.encode()


@given(st.binary(max_size=60))
def test_data_comes_out_as_it_was_encoded(content):
    text = base64.b64encode(content).decode()
    line = json.loads(json.dumps({"input": {"data": text}}))
    assert parse_request(line, 0).data == content
