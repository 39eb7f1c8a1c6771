"""Generators of clients read the document with their default flags, and their output is usable.

They are other programs, looked for on the path: `pip install openapi-python-client`, and
`npm install openapi-typescript typescript` with its `node_modules/.bin`. Where there is none, its
proof is left out.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

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


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("openapi-typescript") is None, reason="needs openapi-typescript")
def test_a_minimal_body_type_checks_in_typescript(document: Path, tmp_path: Path) -> None:
    run("openapi-typescript", document.name, "-o", "api.d.ts", folder=tmp_path)
    (tmp_path / "body.ts").write_text(_BODY)
    run("tsc", "--noEmit", "--strict", "--skipLibCheck", "body.ts", folder=tmp_path)


@pytest.mark.skipif(
    shutil.which("openapi-python-client") is None, reason="needs openapi-python-client"
)
def test_a_minimal_body_is_made_by_a_generated_client(document: Path, tmp_path: Path) -> None:
    tool = shutil.which("openapi-python-client")
    assert tool is not None
    run(tool, "generate", "--path", document.name, "--meta", "none", folder=tmp_path)
    # With what the generator itself stands on: attrs, httpx, dateutil.
    python = str(Path(tool).with_name("python"))
    assert "https://e.org/a" in run(python, "-c", _CALL, folder=tmp_path)
