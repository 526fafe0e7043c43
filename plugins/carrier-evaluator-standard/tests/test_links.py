"""The links of a text, and what is encoded in an address."""

from __future__ import annotations

import base64

import pytest

from carrier_evaluator_standard.links import Link, blob, decoded, links


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See https://example.org/a?b=c#d.", [("https://example.org/a?b=c#d", False)]),
        ("(see http://example.org)", [("http://example.org", False)]),
        ("www.example.org, please", [("www.example.org", False)]),
        ("Look at evil.example/log?q=1, please", [("evil.example/log?q=1", False)]),
        ("[here](https://example.org/a)", [("https://example.org/a", False)]),
        ("[here](<https://example.org/a> 'title')", [("https://example.org/a", False)]),
        ("![x](https://example.org/a.png)", [("https://example.org/a.png", True)]),
        ("![x](//example.org/a.png)", [("//example.org/a.png", True)]),
        ("![x][1]\n\n[1]: https://example.org/a.png", [("https://example.org/a.png", True)]),
        ("![pic]\n\n[pic]: https://example.org/a.png", [("https://example.org/a.png", True)]),
        ("[x][1]\n\n[1]: https://example.org/a", [("https://example.org/a", False)]),
        ("<img src='https://example.org/a.png'>", [("https://example.org/a.png", True)]),
        ('<a href="https://example.org/a">x</a>', [("https://example.org/a", False)]),
        ("<https://example.org/a>", [("https://example.org/a", False)]),
        ("HTTPS://EXAMPLE.ORG/A", [("HTTPS://EXAMPLE.ORG/A", False)]),
        ("![x](data:image/png;base64,AAAA)", [("data:image/png;base64,AAAA", True)]),
        ("[top](#top), [mail](mailto:ana@example.org)", []),
        ("Nothing here, e.g. this or a/b or 1.5.", []),
    ],
)
def test_links_are_found(text: str, expected: list[tuple[str, bool]]) -> None:
    assert [(link.url, link.image) for link in links(text)] == expected


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Example.ORG/a", "example.org"),
        ("//example.org/a", "example.org"),
        ("www.example.org", "www.example.org"),
        ("https://user:x@example.org:8080/", "example.org"),
        ("https://[::1]/", "::1"),
        ("https://[", ""),
    ],
)
def test_a_link_has_a_host(url: str, host: str) -> None:
    assert Link(url).host == host


SECRET = base64.urlsafe_b64encode(b"Ana lives in Porto with Ben.").decode()


@pytest.mark.parametrize(
    "url",
    [
        f"https://example.org/?q={SECRET}",
        f"https://example.org/{SECRET.rstrip('=')}",
        f"https://example.org/#{SECRET}",
        f"https://{b'Ana lives in Porto'.hex()}.example.org/",
        f"https://example.org/{b'Ana lives in Porto'.hex()}/a.png",
        "https://example.org/?q=" + "%41%6e%61%20%6c%69%76%65%73%20%69%6e%20%50%6f%72%74%6f",
        "https://example.org/?q=" + "word+" * 60,
        "https://example.org/?q=Zq8Lx2Vt7Nw4Rk9Bs3Hd6Jf1Mp5Gc0Ty",
        "data:text/html,hello",
        "javascript:alert(1)",
        "https://" + ".".join(["ana-lives-in-porto-with-ben-and"] * 3) + ".example.org/",
    ],
)
def test_what_is_encoded_is_noticed(url: str) -> None:
    assert blob(Link(url))


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "https://docs.python.org/3/library/asyncio-task.html#asyncio.TaskGroup",
        "https://en.wikipedia.org/wiki/Porto_(disambiguation)",
        "https://pt.wikipedia.org/wiki/S%C3%A3o_Jo%C3%A3o_do_Porto",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.openstreetmap.org/#map=15/41.1496/-8.6110",
        "https://stackoverflow.com/questions/11227809/why-is-processing-a-sorted-array-faster-than-processing-an-unsorted-array",
        "https://news.ycombinator.com/item?id=8863",
        "https://github.com/python/cpython/blob/main/Lib/asyncio/taskgroups.py",
        "https://www.amazon.com/dp/B08N5WRWNW",
    ],
)
def test_ordinary_addresses_have_nothing_encoded(url: str) -> None:
    assert blob(Link(url)) == ""


def test_what_is_encoded_can_be_read() -> None:
    assert decoded(SECRET) == "Ana lives in Porto with Ben." or decoded(SECRET) == ""
    assert decoded(b"Porto1".hex()) == "Porto1"
    assert decoded("documentation") == decoded("Hello") == ""
