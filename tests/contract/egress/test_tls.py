"""Certificates that fit, and that do not."""

import os
import ssl
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.contract.egress.world import (
    PACE,
    SLOW,
    always,
    answer,
    failure,
    forever,
    headers_of,
)


class Authority:
    """A certificate authority of our own."""

    def __init__(self, folder):
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        certificate = (
            self._certificate(self._name, self._key.public_key(), days=(-1, 1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = str(folder / "ca.pem")
        (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _certificate(self, subject, public_key, *, days):
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
        )

    def context(self, *hosts, days=(-1, 1)):
        """Give a server's context with a certificate for those names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [
            x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
            for host in hosts
        ]
        certificate = (
            self._certificate(x509.Name([]), key.public_key(), days=days)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path = self._folder / f"{os.urandom(4).hex()}.pem"
        path.write_bytes(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def test_tls_asks_for_and_verifies_the_name_and_not_the_address(world, authority):
    server = world.server(always(answer(b"safe")), tls=authority.context("images.example"))
    egress = world.egress(ca_file=authority.file)
    url = f"https://images.example:{server.port}/"
    assert [egress.get(url), egress.get(url)] == [b"safe", b"safe"]
    assert egress.post(url, b"{}", {}).body == b"safe"
    assert server.hosts_asked == ["images.example"] * 2
    assert headers_of(server.requests[0])["host"] == f"images.example:{server.port}"
    assert server.connections == 2  # one kept for both GETs, one for the POST


def test_tls_verifies_an_address_that_is_the_host(world, authority):
    server = world.server(always(answer(b"safe")), tls=authority.context("127.0.0.1"))
    egress = world.egress(ca_file=authority.file)
    assert egress.get(f"https://127.0.0.1:{server.port}/") == b"safe"


@pytest.mark.parametrize(
    ("hosts", "days"),
    [
        (["other.example"], (-1, 1)),
        (["127.0.0.1"], (-1, 1)),
        (["*.images.example"], (-1, 1)),
        (["images.example"], (-9, -1)),
    ],
    ids=["another name", "the address", "a wildcard below", "expired"],
)
def test_a_certificate_that_does_not_fit_is_refused_before_the_request(
    world, authority, hosts, days
):
    server = world.server(always(answer()), tls=authority.context(*hosts, days=days))
    egress = world.egress(ca_file=authority.file)
    error = failure(egress.get, f"https://images.example:{server.port}/?token=secret")
    assert (error.code, error.retryable) == ("url_fetch_failed", False)
    assert "certificate of images.example" in str(error)
    assert server.requests == []


def test_an_authority_that_is_not_trusted_is_refused(world, authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", authority.file)  # the environment is not trusted either
    server = world.server(always(answer()), tls=authority.context("images.example"))
    error = failure(world.egress().get, f"https://images.example:{server.port}/")
    assert (error.code, error.retryable) == ("url_fetch_failed", False)
    assert server.requests == []


def test_bytes_after_an_answer_do_not_become_the_next_answer_under_tls(world, authority):
    sent = threading.Event()

    def split(server, sock):
        sock.sendall(answer(b"true"))
        if len(server.requests) == 1:
            sock.sendall(answer(b"forged"))  # a TLS record of its own
            sent.set()

    server = world.server(split, tls=authority.context("images.example"))
    egress = world.egress(ca_file=authority.file)
    url = f"https://images.example:{server.port}/"
    assert egress.get(url) == b"true"
    assert sent.wait(SLOW)
    assert egress.get(url) == b"true"
    assert server.connections == 2


def test_a_drip_under_tls_is_left_after_the_total_time(world, authority):
    behave = forever(b"HTTP/1.1 200 OK\r\n\r\n", b"x", pace=PACE)
    server = world.server(behave, tls=authority.context("images.example"))
    egress = world.egress(ca_file=authority.file, total_timeout_s=0.15)
    assert failure(egress.get, f"https://images.example:{server.port}/").code == "url_timeout"
