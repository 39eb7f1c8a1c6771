"""Mosec: decoding in a process a core, one process with the network and batches of 32."""

from benchmarks.contestants.http_caller import take_turns_at


def main() -> None:
    """Take turns at calling the server next door."""
    take_turns_at(
        "benchmarks.contestants.mosec_server",
        "/inference",
        lambda body: int(body),
        "--port",
        "{port}",
        "--timeout",
        "60000",
    )


if __name__ == "__main__":
    main()
