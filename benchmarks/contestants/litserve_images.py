"""LitServe: decoding in the process with the network, batches of 32. Bodies are JSON."""

import json
from base64 import b64encode

from benchmarks.contestants.http_caller import take_turns_at


def main() -> None:
    """Take turns at calling the server next door."""
    take_turns_at(
        "benchmarks.contestants.litserve_server",
        "/predict",
        lambda answer: int(json.loads(answer)["class_id"]),
        body=lambda item: json.dumps({"image": b64encode(item).decode()}).encode(),
    )


if __name__ == "__main__":
    main()
