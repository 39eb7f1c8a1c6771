"""The GPU commands need torch, torchvision, OpenCV and safetensors, and nothing else of ours."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Without a GPU, the same proofs on the CPU.
_CODE = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1:]))
import benchmarks.gpu.speed
from benchmarks.gpu.check import main
sys.exit(main())
"""


def not_there() -> list[str]:
    """Name the modules of all that Pixelmill is built on but what runs networks."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    needed = {canonicalize_name(Requirement(each).name) for each in project["dependencies"]}
    needed.remove("numpy")  # torchvision and OpenCV need it
    return sorted(
        module
        for module, packages in packages_distributions().items()
        if {canonicalize_name(each) for each in packages} & needed
    )


def test_the_proofs_hold_without_the_rest_of_pixelmill() -> None:
    missing = not_there()
    assert {"pydantic", "sqlalchemy", "celery", "structlog"} <= set(missing)
    environ = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _CODE, *missing]
    run = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("holds: ") == 6
