"""The server of `litserve_images`; it runs in LitServe's own environment (`make peers`)."""

import os
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import litserve
import torch

from benchmarks.contestants.http_caller import BATCH, PORT, WORK
from benchmarks.works import Work
from models.runtime.network import Network
from models.tasks.task import Sample

_LONGEST_WAIT_S = 0.01


class Classify(litserve.LitAPI):
    """Body -> picture -> batch -> classes."""

    def setup(self, device: str) -> None:  # noqa: ARG002  # LitServe's own signature
        """Load the network."""
        torch.set_num_threads(1)
        self._network: Network = Work(Path(os.environ[WORK])).load()
        self._decoders = ThreadPoolExecutor(os.cpu_count() or 1)

    def decode_request(self, request):  # LitServe reads JSON only where no type is named
        """Take the picture out of the body."""
        return b64decode(request["image"])

    def batch(self, inputs: list[bytes]) -> list[Sample]:
        """Decode a batch in threads."""
        return list(self._decoders.map(self._network.prepare, inputs))

    def predict(self, batch: list[Sample]) -> list[int]:
        """Infer a batch."""
        return self._network.forward(batch).argmax(1).tolist()

    def unbatch(self, output: list[int]) -> list[int]:
        """Take the batch apart."""
        return output

    def encode_response(self, output: int) -> dict[str, int]:
        """Answer with the class alone."""
        return {"class_id": output}


if __name__ == "__main__":
    api = Classify(max_batch_size=BATCH, batch_timeout=_LONGEST_WAIT_S)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, timeout=60)
    server.run(host="127.0.0.1", port=int(os.environ[PORT]), generate_client_file=False)
