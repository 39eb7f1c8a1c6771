"""LitServe: decoding in the process with the network, batches of 32."""

import json

from benchmarks.contestants.http_caller import take_turns_at


def main() -> None:
    """Take turns at calling the server next door."""
    take_turns_at(
        "benchmarks.contestants.litserve_server",
        "/predict",
        lambda body: int(json.loads(body)["class_id"]),
    )


if __name__ == "__main__":
    main()
