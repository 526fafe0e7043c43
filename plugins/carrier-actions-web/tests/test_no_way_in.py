"""Nothing but the public internet is reached: not by any form of an address, redirect, second lookup or variable.

Two things count: connections that were opened at all, by the dialer, and those that a real listener on the loopback interface,
to which everything else leads, was asked to accept. Both have to stay at none.
"""

from __future__ import annotations

from ipaddress import ip_network

import httpx2
import pytest

from carrier_actions_web.fetch import FetchPage
from carrier_actions_web.guard import GuardedBackend, GuardedTransport
from carrier_actions_web.rules import Rules
from carrier_actions_web.urls import follow, read_url
from carrier_actions_web.web import Limits, Web
from carrier_core import ActionCall, Audience, CarrierError, NotDone, Rejected
from carrier_core.testing.wire import nobody, script, serve, status

pytestmark = pytest.mark.anyio

SITE, OTHER = "93.184.216.34", "8.8.4.4"  # public addresses, at which servers of the test's are


class StubTurn:
    audience = Audience()


INNER = {
    # What it is, and addresses of that kind.
    "loopback": "127.0.0.1 127.0.0.53 127.1.2.3 127.255.255.255 ::1",
    "unspecified": "0.0.0.0 0.1.2.3 ::",
    "private": "10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.254 192.168.0.1 192.168.255.255",
    "shared": "100.64.0.1 100.127.255.254",
    "link-local": "169.254.1.1 fe80::1 febf::1",
    "metadata": "169.254.169.254 169.254.170.2 168.63.129.16 100.100.100.200 192.0.0.192 fd00:ec2::254 fd20:ce::254",
    "unique local": "fc00::1 fd12:3456:789a::1",
    "site-local": "fec0::1 feff::1",
    "multicast": "224.0.0.1 239.255.255.250 ff02::1 ff0e::1",
    "broadcast": "255.255.255.255",
    "documentation": "192.0.2.1 198.51.100.7 203.0.113.9 2001:db8::1 3fff::1",
    "benchmarks": "198.18.0.1 198.19.255.255 2001:2::1",
    "as IPv6": "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 ::ffff:7f00:1 ::127.0.0.1 ::7f00:1 ::ffff:0:7f00:1",
    "NAT64": "64:ff9b::7f00:1 64:ff9b::127.0.0.1 64:ff9b::808:808 64:ff9b:1::a00:1 64:ff9b:1:abcd::7f00:1",
    "6to4": "2002:7f00:1::1 2002:a00:1::1 2002:c0a8:1::1 2002:808:808::1 192.88.99.1",
    "Teredo": "2001::1 2001:0:7f00:1::1 2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "ISATAP": "2a00:1450:4001::5efe:127.0.0.1 2a00:1450:4001::200:5efe:10.0.0.1",
    "reserved": "240.0.0.1 254.255.255.255 192.0.0.8 192.31.196.1 192.52.193.1 192.175.48.1 100::1 2001:10::1 2001:20::1 5f00::1",
    "not given out": "200::1 400::1 4000::1 6000::1 8000::1 e000::1 fe00::1",
}
ADDRESSES = [address for addresses in INNER.values() for address in addresses.split()]

ODD = [
    # One number, octal, hexadecimal, fewer dots, zeros in front.
    "http://2130706433/",
    "http://017700000001/",
    "http://0x7f000001/",
    "http://0x7F.0.0.1/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://0177.0.0.01/",
    "http://00000177.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.0.0.1./",
    "http://127.0.0.01/",
    "http://127.000.000.001/",
    "http://0/",
    "http://0x0/",
    "http://00/",
    "http://1.2.3.4.5/",
    "http://256.256.256.256/",
    "http://4294967297/",
    "http://3232235777/",
    "http://127.0.0.1.1/",
    "http://10.1/",
    "http://0xa9fea9fe/",
    "http://2852039166/",
    "http://169.254.43518/",
    # Brackets and zones.
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]/",
    "http://[::]/",
    "http://[::1%25lo]/",
    "http://[::1%lo]/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:0x7f.1]/",
    "http://[127.0.0.1]/",
    "http://[]/",
    "http://[v1.127.0.0.1]/",
    "http://[::1/",
    "http://::1/",
    "http://[::1]evil.example/",
    "http://[::1].example/",
    # Names of this machine and of the network around it.
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://localhost.localdomain/",
    "http://foo.localhost/",
    "http://ip6-localhost/",
    "http://inner.example/",
    "http://inner.example./",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://mapped.example/",
    "http://zone.example/",
    "http://nothing.example/",
    "http://words.example/",
    # Digits, dots and letters of other scripts, which IDNA makes ASCII of.
    "http://１２７.０.０.１/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://127．0．0．1/",
    "http://127｡0｡0｡1/",
    "http://ｌｏｃａｌｈｏｓｔ/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "http://loc\u00adalhost/",
    "http://loc\u200balhost/",
    "http://𝟏𝟐𝟕.𝟎.𝟎.𝟏/",
    "http://١٢٧.٠.٠.١/",
    "http://0x𝟕f.1/",
    "http://[፡፡1]/",
    "http://127.0.0.1\uff0f.site.example/",
    "http://127.0.0.1\uff03.site.example/",
    "http://site.example\u2215@127.0.0.1/",
    # Percent-encoding.
    "http://127%2e0%2e0%2e1/",
    "http://%31%32%37.0.0.1/",
    "http://%6c%6f%63%61%6c%68%6f%73%74/",
    "http://127.0.0.1%00.site.example/",
    "http://127.0.0.1%2f.site.example/",
    "http://site.example%2f@127.0.0.1/",
    "http://127.0.0.1%23@site.example/",
    # Who is who before and after an @.
    "http://site.example@127.0.0.1/",
    "http://site.example:80@127.0.0.1/",
    "http://site.example:80@127.0.0.1:80/",
    "http://user:password@127.0.0.1/",
    "http://127.0.0.1@site.example/",
    "http://@127.0.0.1/",
    "http://127.0.0.1:80@site.example:80@127.0.0.1/",
    # Backslashes, tabs, line ends, spaces, empty parts.
    "http://site.example\\@127.0.0.1/",
    "http://127.0.0.1\\.site.example/",
    "http:\\\\127.0.0.1\\",
    "http:/\\127.0.0.1/",
    "http://127.0.0.1\t.site.example/",
    "http://site.example\r\nHost: 127.0.0.1/",
    "http://site.example /",
    "http://site.example\x00.127.0.0.1/",
    "http:// 127.0.0.1/",
    "http:127.0.0.1/",
    "http:/127.0.0.1/",
    "http:///127.0.0.1/",
    "http:////127.0.0.1/",
    "//127.0.0.1/",
    "127.0.0.1",
    "127.0.0.1:80",
    "localhost:80",
    "http://",
    "http://./",
    "http://../",
    "http://.127.0.0.1/",
    "http://127..0.0.1/",
    "http://-localhost/",
    "http://127.0.0.1,site.example/",
    "http://{127.0.0.1}/",
    "http://$(127.0.0.1)/",
    # Ports.
    "http://127.0.0.1:80/",
    "http://site.example:22/",
    "http://site.example:6379/",
    "http://site.example:8080/",
    "http://site.example:0/",
    "http://site.example:65536/",
    "http://site.example:99999/",
    "http://site.example:080a/",
    "http://site.example:+80/",
    "http://site.example:-1/",
    "http://site.example:80:80/",
    "http://site.example:８０80/",
    "http://site.example:٨٠/",
    # Other schemes.
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "ftp://site.example/",
    "gopher://127.0.0.1:6379/_INFO",
    "dict://127.0.0.1:11211/stats",
    "unix:///run/docker.sock",
    "http+unix://%2frun%2fdocker.sock/info",
    "data:text/plain,hello",
    "javascript:alert(1)",
    "jar:http://127.0.0.1!/",
    "ws://127.0.0.1/",
    "wss://127.0.0.1/",
    "ldap://127.0.0.1/",
    "about:blank",
    "view-source:http://127.0.0.1/",
    "url:http://127.0.0.1/",
    "hTTp://127.0.0.1/",
    "https://127.0.0.1/",
    "",
    " ",
    "http://" + "a" * 64 + ".example/",
    "http://" + "a." * 127 + "example/",
    "http://site.example/" + "x" * 5_000,
]


def form(address: str) -> str:
    return f"http://[{address}]/" if ":" in address else f"http://{address}/"


@pytest.fixture
def names(scene):
    """Names that lead inside, as an attacker can have them."""
    scene.names.table |= {
        "localhost": [["127.0.0.1", "::1"]],
        "localhost.localdomain": [["127.0.0.1"]],
        "foo.localhost": [["127.0.0.1"]],
        "ip6-localhost": [["::1"]],
        "inner.example": [["10.0.0.5"]],
        "metadata.google.internal": [["169.254.169.254"]],
        "mapped.example": [["::ffff:10.0.0.5"]],
        "zone.example": [["fe80::1%eth0"]],
        "nothing.example": [[]],
        "words.example": [["localhost"]],
    }
    return scene.names


async def refused(scene, url: str, **keywords) -> CarrierError:
    """Why it was refused; and that nothing was connected to."""
    with pytest.raises(CarrierError) as caught:
        await scene.fetch(url, **keywords)
    assert scene.dialer.dialled == []
    assert scene.trap.caught == 0
    return caught.value


# --- what is asked for ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ADDRESSES)
async def test_an_inner_address_is_not_connected_to(scene, address) -> None:
    error = await refused(scene, form(address))
    assert isinstance(error, Rejected)
    assert "cannot be" in error.message


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_name_that_resolves_to_one_is_not_connected_to(scene, address) -> None:
    scene.names.table["rebound.example"] = [[address]]
    error = await refused(scene, "http://rebound.example/")
    assert "rebound.example cannot be reached: it resolves to" in error.message
    assert scene.names.looked_up == ["rebound.example"]


@pytest.mark.parametrize("address", ADDRESSES)
async def test_one_such_address_among_public_ones_is_enough(scene, address) -> None:
    scene.names.table["both.example"] = [["93.184.216.34", address]]
    await refused(scene, "http://both.example/")


@pytest.mark.parametrize("url", ODD)
async def test_no_form_of_a_url_leads_inside(scene, names, url) -> None:
    error = await refused(scene, url)
    assert error.message.endswith(".")


# --- with nothing replaced: this machine's own resolver, and real connections -------------------------------------------------

THIS_MACHINE = (
    "127.0.0.1 127.1 127.0.1 2130706433 0x7f000001 0x7f.0.0.1 0x7f.1 0177.0.0.1 017700000001 127.0.0.01 0 0.0.0.0 00 localhost "
    "LOCALHOST localhost. 127.0.0.1. [::1] [::] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::127.0.0.1] "
    "[64:ff9b::7f00:1] "
    "１２７.０.０.１ ①②⑦.⓪.⓪.① 127。0。0。1 ｌｏｃａｌｈｏｓｔ %6cocalhost 127%2e0.0.1 [::1%25lo] [::1%lo] user@127.0.0.1 "
    "site.example@127.0.0.1 127.0.0.1\\@127.0.0.1"
).split()


@pytest.mark.parametrize("host", THIS_MACHINE)
async def test_this_machine_is_not_reached(trap, host) -> None:
    action = FetchPage(Web(Rules(ports=(80, 443, trap.port)), Limits(total=10.0)))
    with pytest.raises(Rejected):
        await action.perform(None, ActionCall("1", "fetch_page", {"url": f"http://{host}:{trap.port}/"}))
    assert trap.caught == 0


@pytest.mark.parametrize(
    "host", "127.0.0.1 127.1 2130706433 0x7f.1 0177.0.0.1 0 0.0.0.0 localhost [::1] [::ffff:7f00:1]".split()
)
async def test_nor_is_it_by_a_client_that_reads_urls_in_its_own_way(trap, host) -> None:
    """The guard is at the socket: what comes before it may be as careless as it likes."""
    transport = GuardedTransport(Rules(ports=(trap.port,)), most=1_000)
    async with httpx2.AsyncClient(transport=transport, follow_redirects=True) as client:
        with pytest.raises((Rejected, httpx2.InvalidURL)):
            await client.get(f"http://{host}:{trap.port}/")
    assert trap.caught == 0


async def test_the_trap_is_where_it_is_said_to_be(trap) -> None:
    """What was not reached above can be reached, where the operator opens it."""
    opened = Rules(ports=(), private=frozenset({("127.0.0.1", trap.port)}))
    action = FetchPage(Web(opened, Limits()))
    result = await action.perform(StubTurn(), ActionCall("1", "fetch_page", {"url": f"http://127.0.0.1:{trap.port}/"}))
    assert "secret" in result.text
    assert trap.caught == 1


async def test_a_socket_of_this_machine_is_no_way_either(tmp_path) -> None:
    with pytest.raises(Rejected):
        await GuardedBackend(Rules()).connect_unix_socket(str(tmp_path / "docker.sock"))


# --- redirects --------------------------------------------------------------------------------------------------------------

INWARD = [
    *(form(address) for address in ADDRESSES),
    *(url.strip() for url in ODD if url.strip() and url.isascii() and "\n" not in url),
]
INWARD = [
    url
    for url in INWARD
    if url.isprintable() and not url.startswith("127") and "://" in url and "site.example/x" not in url
]


@pytest.mark.parametrize("location", INWARD)
async def test_no_redirect_leads_inside(scene, names, location) -> None:
    async with serve(status(302, b"", location=location)) as server:
        scene.dialer.serve(server.url)
        with pytest.raises(CarrierError):
            await scene.fetch("http://site.example/")
        assert len(server.requests) == 1
    assert scene.dialer.dialled == [(SITE, 80)]
    assert scene.trap.caught == 0


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    [
        "http://10.0.0.5/",
        "//10.0.0.5/",
        "///10.0.0.5/",
        "/\\10.0.0.5/",
        "\\\\10.0.0.5\\",
        "http:10.0.0.5",
        "//inner.example",
        "//0x7f.1",
    ],
)
async def test_nor_by_any_kind_of_redirect(scene, names, code, location) -> None:
    async with serve(script(status(code, b"", location=location), status(404, b""))) as server:
        scene.dialer.serve(server.url)
        with pytest.raises(CarrierError):
            await scene.fetch("http://site.example/")
    assert {*scene.dialer.dialled} == {(SITE, 80)}
    assert scene.trap.caught == 0


@pytest.mark.parametrize("hops", [2, 3, 5])
async def test_nor_at_a_later_hop(scene, hops) -> None:
    onward = [status(302, b"", location=f"http://other.example/{hop}") for hop in range(hops - 1)]
    async with serve(script(*onward, status(302, b"", location="http://192.168.0.1/"))) as server:
        scene.dialer.serve(server.url)
        scene.dialer.serve(server.url, OTHER)
        with pytest.raises(Rejected, match=r"192\.168\.0\.1 cannot be reached: it is a private address"):
            await scene.fetch("http://site.example/")
        assert len(server.requests) == hops
    assert scene.dialer.dialled == [(SITE, 80), *[(OTHER, 80)] * (hops - 1)]
    assert scene.trap.caught == 0


async def test_an_open_door_is_not_open_to_who_is_outside(scene, names) -> None:
    """What the operator has opened for fetch_page, a page cannot have asked."""
    names.table["intranet.example"] = [["10.0.0.7"]]
    rules = Rules(private=frozenset({("intranet.example", 8080), ("10.0.0.8", 80)}))
    for location in ("http://intranet.example:8080/delete", "http://10.0.0.8/delete"):
        async with serve(status(302, b"", location=location)) as server:
            scene.dialer.serve(server.url)
            with pytest.raises(Rejected):
                await scene.fetch("http://site.example/", rules=rules)
    assert {*scene.dialer.dialled} == {(SITE, 80)}


@pytest.mark.parametrize(
    "address", "169.254.169.254 fd00:ec2::254 168.63.129.16 fe80::1 0.0.0.0 224.0.0.1 ::ffff:10.0.0.1".split()
)
async def test_an_opened_name_is_no_door_to_a_clouds_metadata(scene, address) -> None:
    scene.names.table["intranet.example"] = [[address]]
    await refused(scene, "http://intranet.example:8080/", rules=Rules(private=frozenset({("intranet.example", 8080)})))


async def test_an_opened_host_is_open_at_its_port_only(scene) -> None:
    scene.names.table["intranet.example"] = [["10.0.0.7"]]
    rules = Rules(private=frozenset({("intranet.example", 8080)}))
    for url in (
        "http://intranet.example/",
        "http://intranet.example:8081/",
        "http://10.0.0.7:8080/",
        "http://x.intranet.example:8080/",
    ):
        await refused(scene, url, rules=rules)


async def test_encryption_is_not_given_up(scene) -> None:
    with pytest.raises(Rejected, match="without encryption"):
        follow(read_url("https://site.example/"), "http://site.example/")


async def test_redirects_come_to_an_end(scene) -> None:
    async with serve(status(302, b"", location="/again")) as server:
        scene.dialer.serve(server.url)
        with pytest.raises(Rejected, match="redirects more than 5 times"):
            await scene.fetch("http://site.example/")
        assert len(server.requests) == 6


# --- names that change ----------------------------------------------------------------------------------------------------


async def test_a_name_is_looked_up_once_for_each_connection(scene) -> None:
    """A second lookup, between check and connection, would have another answer."""
    scene.names.table["rebinding.example"] = [[SITE], ["127.0.0.1"]]
    async with serve(status(200, "Hello")) as server:
        scene.dialer.serve(server.url)
        assert "Hello" in (await scene.fetch("http://rebinding.example/")).text
    assert scene.names.looked_up == ["rebinding.example"]
    assert scene.dialer.dialled == [(SITE, 80)]
    assert scene.trap.caught == 0


async def test_a_name_that_leads_elsewhere_at_the_second_hop_is_checked_again(scene) -> None:
    scene.names.table["rebinding.example"] = [[SITE], ["127.0.0.1"]]
    async with serve(status(302, b"", location="http://rebinding.example/inside")) as server:
        scene.dialer.serve(server.url)
        with pytest.raises(Rejected, match=r"it resolves to 127\.0\.0\.1, which is a loopback address"):
            await scene.fetch("http://rebinding.example/")
    assert scene.dialer.dialled == [(SITE, 80)]
    assert scene.trap.caught == 0


async def test_what_fails_is_not_tried_at_another_address_than_the_checked_ones(scene) -> None:
    scene.names.table["rebinding.example"] = [[SITE, OTHER], ["127.0.0.1"]]
    with nobody() as url:
        scene.dialer.serve(url)
        scene.dialer.serve(url, OTHER)
        with pytest.raises(NotDone, match="Nobody answers at rebinding"):
            await scene.fetch("http://rebinding.example/")
    assert scene.dialer.dialled == [(SITE, 80), (OTHER, 80)]
    assert scene.names.looked_up == ["rebinding.example"]


async def test_what_the_operator_refuses_is_not_reached(scene) -> None:
    rules = Rules(refused=(ip_network("93.184.216.0/24"), ip_network("2a00:1::/32")))
    await refused(scene, "http://site.example/", rules=rules)
    await refused(scene, "http://[2a00:1::5]/", rules=rules)


# --- what the environment says ----------------------------------------------------------------------------------------------

PROXIES = "HTTP_PROXY HTTPS_PROXY ALL_PROXY FTP_PROXY http_proxy https_proxy all_proxy".split()


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
@pytest.mark.parametrize("without", ["", "*", "site.example"])
async def test_no_variable_makes_it_use_a_proxy(scene, monkeypatch, scheme, without) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, f"{scheme}://127.0.0.1:{scene.trap.port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, without)
    async with serve(status(200, "Hello")) as server:
        scene.dialer.serve(server.url)
        assert "Hello" in (await scene.fetch("http://site.example/")).text
        assert server.heads[0].startswith("GET / HTTP/1.1\r\n")  # not the whole URL, as a proxy is asked
    assert scene.dialer.dialled == [(SITE, 80)]
    assert scene.trap.caught == 0


async def test_a_proxy_does_not_make_an_inner_address_reachable(scene, monkeypatch) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, f"http://127.0.0.1:{scene.trap.port}")
    await refused(scene, "http://10.0.0.5/")
    await refused(scene, "https://10.0.0.5/")


async def test_no_password_is_taken_from_a_file(scene, monkeypatch, tmp_path) -> None:
    (tmp_path / ".netrc").write_text("machine site.example login ana password hunter2\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    async with serve(status(200, "Hello")) as server:
        scene.dialer.serve(server.url)
        await scene.fetch("http://site.example/")
        assert "authorization" not in server.heads[0].lower()


async def test_no_cookie_is_kept(scene) -> None:
    answers = script(status(302, b"", location="/next", set_cookie="a=1"), status(200, "Hello", set_cookie="b=2"))
    async with serve(answers) as server:
        scene.dialer.serve(server.url)
        await scene.fetch("http://site.example/")
        await scene.fetch("http://site.example/")
        assert not any("cookie" in head.lower() for head in server.heads)


# --- that what is public is reached -------------------------------------------------------------------------------------------

PUBLIC = (
    "1.1.1.1 8.8.8.8 93.184.216.34 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.167.0.1 192.169.0.1 11.0.0.1 "
    "126.1.1.1 128.0.0.1 169.253.1.1 198.17.0.1 198.20.0.1 223.255.255.1 "
    "2606:4700::1111 2001:4860:4860::8888 2a00:1450:4001:80b::200e 2003::1 2400:cb00::1"
).split()


@pytest.mark.parametrize("address", PUBLIC)
async def test_a_public_address_is_reached(scene, address) -> None:
    async with serve(status(200, "Hello")) as server:
        scene.dialer.serve(server.url, address)
        assert "Hello" in (await scene.fetch(form(address))).text
    assert scene.dialer.dialled == [(address, 80)]


@pytest.mark.parametrize(
    "url",
    [
        "http://site.example",
        "HTTP://SITE.EXAMPLE/",
        "http://site.example./",
        "http://site.example:80/",
        "http://site.example:/",
        "  http://site.example/#part",
        "http://site.example?q=http://127.0.0.1/",
        "http://site.example/@127.0.0.1",
        "http://site.example#@127.0.0.1:1/",
        "http://ｓｉｔｅ.example/",
        "http://site。example/",
    ],
)
async def test_a_plain_url_is_read_in_each_of_its_forms(scene, url) -> None:
    async with serve(status(200, "Hello")) as server:
        scene.dialer.serve(server.url)
        await scene.fetch(url)
        assert "\r\nhost: site.example\r\n" in server.heads[0].lower()
    assert scene.dialer.dialled == [(SITE, 80)]


async def test_a_name_in_another_script_is_looked_up_as_dns_has_it(scene) -> None:
    scene.names.table["xn--bcher-kva.example"] = [[SITE]]
    async with serve(status(200, "Hello")) as server:
        scene.dialer.serve(server.url)
        await scene.fetch("http://Bücher.example/")
    assert scene.names.looked_up == ["xn--bcher-kva.example"]


@pytest.mark.parametrize("host", ["xn--0.example", "xn--999999999.example", "a--b.example", "_dmarc.example"])
async def test_a_name_that_only_looks_like_that_is_looked_up_and_no_more(scene, host) -> None:
    with pytest.raises(CarrierError):
        await scene.fetch(f"http://{host}/")
    scene.names.table[host] = [[SITE]]
    async with serve(status(200, "Hello")) as server:
        scene.dialer.serve(server.url)
        assert "Hello" in (await scene.fetch(f"http://{host}/")).text
