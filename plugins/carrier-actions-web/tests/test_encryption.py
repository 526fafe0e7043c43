"""Over TLS: the connection goes to the checked address, and everything said on it names the host."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSAttribute, TLSListener

from carrier_actions_web.fetch import FetchPage
from carrier_core import NotDone, Rejected
from carrier_core.testing.wire import garbage, serve

pytestmark = pytest.mark.anyio

SITE = "93.184.216.34"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate of site.example that nobody but the test vouches for: its file, and that of its key."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    own = ["-keyout", folder / "key.pem", "-out", folder / "site.pem", "-subj", "/CN=site.example"]
    names = ["-addext", "subjectAltName=DNS:site.example"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run(["openssl", "req", "-x509", *curve, *own, *names], check=True, capture_output=True)
    return folder / "site.pem", folder / "key.pem"


@asynccontextmanager
async def encrypted(scene, certificate, answers):
    """A server that speaks TLS and answers with these, one after another; what it was told: names in handshakes, and requests."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    asked: list[str] = []
    told: list[str] = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    scene.dialer.places[SITE] = listener.extra(SocketAttribute.local_port)
    coming = list(answers)

    async def talk(stream) -> None:
        async with stream:
            assert stream.extra(TLSAttribute.server_side)
            told.append((await stream.receive()).decode())
            await stream.send(coming.pop(0))

    async with TLSListener(listener, context, standard_compatible=False) as tls, anyio.create_task_group() as group:
        group.start_soon(tls.serve, talk)
        yield asked, told
        group.cancel_scope.cancel()


def trusting(certificate) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate[0])


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/plain", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def test_the_name_is_told_and_checked_although_the_address_is_connected_to(scene, certificate) -> None:
    action = FetchPage(scene.web(tls=trusting(certificate)))
    async with encrypted(scene, certificate, [answer("200 OK", b"Hello")]) as (asked, told):
        result = await scene.perform(action, url="https://site.example/")
    assert result.text == "URL: https://site.example/\n\nHello"
    assert asked == ["site.example"]
    assert "\r\nHost: site.example\r\n" in told[0]
    assert scene.dialer.dialled == [(SITE, 443)]


async def test_encryption_is_not_given_up_on_the_way(scene, certificate) -> None:
    action = FetchPage(scene.web(tls=trusting(certificate)))
    async with encrypted(scene, certificate, [answer("302 Found", location="http://site.example/")]):
        with pytest.raises(Rejected, match="without encryption"):
            await scene.perform(action, url="https://site.example/")
    assert scene.dialer.dialled == [(SITE, 443)]


async def test_a_certificate_of_somebody_else_is_not_taken(scene, certificate) -> None:
    scene.names.table["bank.example"] = [[SITE]]
    action = FetchPage(scene.web(tls=trusting(certificate)))
    async with encrypted(scene, certificate, []) as (_, told):
        with pytest.raises(NotDone, match="its certificate is not valid"):
            await scene.perform(action, url="https://bank.example/")
    assert told == []


async def test_a_certificate_that_nobody_vouches_for_is_not_taken(scene, certificate) -> None:
    async with encrypted(scene, certificate, []) as (_, told):
        with pytest.raises(NotDone, match=r"site\.example could not be trusted: its certificate is not valid"):
            await scene.fetch("https://site.example/")
    assert told == []


async def test_a_server_that_speaks_no_tls(scene) -> None:
    async with serve(garbage()) as server:
        scene.dialer.serve(server.url)
        with pytest.raises(NotDone, match=r"site\.example"):
            await scene.fetch("https://site.example/")
        assert server.heads == [""]
