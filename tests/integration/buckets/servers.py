"""An S3 server of a test's own, and what is put into it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import obstore
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

KEY_ID, SECRET = "AKIATESTONLY", "a-secret-that-no-log-may-show"
LOOPBACK = "127.0.0.1/32"


@dataclass(frozen=True, slots=True)
class S3:
    """A server with one bucket, called `photos`."""

    endpoint: str
    bucket: str = "photos"

    @property
    def credentials(self) -> dict[str, str]:
        return {"access_key_id": KEY_ID, "secret_access_key": SECRET, "region": "us-east-1"}

    def store(self, bucket: str = "photos") -> S3Store:
        return S3Store(
            bucket,
            config={**self.credentials, "endpoint": self.endpoint},
            client_options={"allow_http": True},
        )

    def put(self, key: str, content: bytes, bucket: str = "photos") -> None:
        obstore.put(self.store(bucket), key, content)

    def delete(self, key: str) -> None:
        obstore.delete(self.store(), key)

    def put_raw(self, key: str, content: bytes) -> None:
        """Put an object under any key that S3 takes, such as one with // in it."""
        client_of(self.endpoint).put_object(Bucket=self.bucket, Key=key, Body=content)

    def empty(self) -> None:
        client = client_of(self.endpoint)
        for bucket in client.list_buckets()["Buckets"]:
            name = bucket["Name"]
            for each in client.list_objects_v2(Bucket=name).get("Contents", []):
                client.delete_object(Bucket=name, Key=each["Key"])


def client_of(endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
    )


@contextmanager
def s3_server(*buckets: str) -> Iterator[S3]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        s3 = S3(f"http://{host}:{port}")
        client = client_of(s3.endpoint)
        for bucket in ("photos", *buckets):
            client.create_bucket(Bucket=bucket)
        yield s3
    finally:
        server.stop()
