"""That a URL is read in one way only: by the guard, by the client, and by whoever fills in a template."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrier_actions_web.template import climbs, read_template
from carrier_actions_web.urls import follow, read_url
from carrier_core import Rejected

PIECES = st.sampled_from(
    "http:// https:// HTTP:// // / \\ @ : :80 :443 ? # % %2e %2f %00 . .. [ ] [::1] 127.0.0.1 0x7f.1 2130706433 site.example "
    "localhost user:pw xn--bcher-kva bücher １２７ 。 ﹖ ／ ＠ ℀ \u200b \u00ad \t \n \x00 ; = & a 1".split(" ")
)
TEXTS = st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=40)


@settings(max_examples=400)
@given(TEXTS.map(lambda text: f"http://{text}") | TEXTS)
def test_the_client_goes_where_the_guard_has_looked(text: str) -> None:
    try:
        target = read_url(text)
    except Rejected:
        return
    url = httpx2.URL(str(target))
    assert (url.scheme, url.raw_host.decode(), url.port) == (
        target.scheme,
        target.host,
        None if target.port == {"http": 80, "https": 443}[target.scheme] else target.port,
    )
    assert url.userinfo == b""
    assert urlsplit(str(target)).hostname == target.host
    assert read_url(str(target)) == target


@settings(max_examples=200)
@given(TEXTS)
def test_a_redirect_is_read_as_strictly(location: str) -> None:
    try:
        target = follow(read_url("http://site.example/a/b?c"), location)
    except Rejected:
        return
    assert httpx2.URL(str(target)).raw_host.decode() == target.host
    assert read_url(str(target)) == target


@settings(max_examples=400)
@given(TEXTS, TEXTS)
def test_no_value_changes_where_a_template_leads(segment: str, value: str) -> None:
    template = read_template("https://api.example:8443/v1/{a}/x-{a}/y?q={b}&z=1")
    try:
        target = template.filled({"a": segment, "b": value})
    except ValueError:
        return
    url = httpx2.URL(str(target))
    assert (url.scheme, url.host, url.port) == ("https", "api.example", 8443)
    path = url.raw_path.decode().partition("?")[0].split("/")
    assert (path[:2], path[4:]) == (["", "v1"], ["y"])
    assert [unquote(path[2]), unquote(path[3])] == [segment, f"x-{segment}"]
    assert [*url.params.multi_items()] == [("q", value), ("z", "1")]


@pytest.mark.parametrize(
    "value", [".", "..", "a/..", "%2e%2e", "%252e.", "..;x", "../", "..\\", "\\.", " ..", "%25252525252e"]
)
def test_a_way_out_is_seen(value: str) -> None:
    assert climbs(value)


@pytest.mark.parametrize("value", ["", "a", "a.b", "...", "..a", "a..", "a/b", "100%", "%41", "1;2", ".hidden"])
def test_what_is_none_is_not_taken_for_one(value: str) -> None:
    assert not climbs(value)
