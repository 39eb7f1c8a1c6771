"""Generators of clients read the document with their default flags, and their output is usable."""

import re
from pathlib import Path

import pytest

from tests.environments import node_with, python_with, run
from tests.integration.api.callers import Caller

pytestmark = [
    pytest.mark.deep,
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]

_BODY = """
import type {paths} from "./api";
type Body = paths["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"];
export const body: Body = {model: "digits", urls: ["https://example.com/a.png"]};
type Page = paths["/v1/jobs/{job_id}/results"]["get"]["responses"]["200"]["content"];
export const first = (page: Page["application/json"]): string => page.data[0].custom_id;
"""
_CALL = """
from pixelmill_client import Client
from pixelmill_client.api.jobs import create_job
from pixelmill_client.models import JobCreate
assert create_job.sync_detailed
print(JobCreate(model="digits", urls=["https://e.org/a"]).to_dict())
"""


@pytest.fixture
def document(caller: Caller, tmp_path: Path) -> Path:
    path = tmp_path / "openapi.json"
    path.write_text(caller.get("/openapi.json").text)
    return path


def test_a_minimal_body_type_checks_in_typescript(document: Path, tmp_path: Path) -> None:
    commands = node_with("openapi-typescript@7.13.0", "typescript@5.9.3")
    run(commands / "openapi-typescript", document.name, "-o", "api.d.ts", folder=tmp_path)
    (tmp_path / "body.ts").write_text(_BODY)
    run(commands / "tsc", "--noEmit", "--strict", "--skipLibCheck", "body.ts", folder=tmp_path)


def test_a_minimal_body_is_made_by_a_generated_client(document: Path, tmp_path: Path) -> None:
    # With what the generator itself stands on: attrs, httpx, dateutil.
    python = python_with("openapi-python-client==0.29.1")
    tool = python.with_name("openapi-python-client")
    command = f"{tool} generate --path {document.name} --meta none 2>&1"
    told = run("sh", "-c", command, folder=tmp_path)
    # Bodies of the tus protocol have a type of their own, which the generator does not know.
    left_out = re.findall(r"parsing (.+) within .+ Endpoint will not be generated", told)
    assert left_out == ["POST /v1/uploads", "PATCH /v1/uploads/{upload_id}"], told
    assert "https://e.org/a" in run(python, "-c", _CALL, folder=tmp_path)
