"""Schemathesis sends thousands of right and wrong requests to every documented call.

No 5xx, no answer that the document does not know, and nothing accepted that it forbids.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.base.bootstrap import Ground
from jobs.tables import ModelVersion
from jobs.tenants.keys import create_key
from tests.integration.api.fronts import running_front

EXAMPLES = os.environ.get("PIXELMILL_SCHEMATHESIS_EXAMPLES", "20")
LEAST_CASES = 3_000
HERE = Path(__file__).parent


@pytest.mark.deep
@pytest.mark.timeout(0)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_call_answers_as_its_document_says(
    ground: Ground, digits_model: ModelVersion, tmp_path: Path
) -> None:
    key = create_key(ground.database, "ops", admin=True)
    with running_front(ground, key, tmp_path) as front:
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            *("--config-file", str(HERE / "schemathesis.toml")),
            *("run", f"{front.url}/openapi.json"),
            *("-H", f"Authorization: Bearer {front.key}", "--checks", "all"),
            *("--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES),
            *("--generation-database", "none", "--continue-on-failure", "--no-color"),
        ]
        run = subprocess.run(
            command,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "NO_PROXY": "*",
                "SCHEMATHESIS_HOOKS": str(HERE / "schemathesis_hooks.py"),
            },
        )
    print(run.stdout[-4000:])
    assert run.returncode == 0, run.stdout
    (cases,) = re.findall(r"([\d,]+) generated", run.stdout)
    assert int(cases.replace(",", "")) >= LEAST_CASES
