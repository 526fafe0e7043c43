"""The web as the actions see it: a question to a URL, with bounds on time, size and redirects, and its answer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import aclosing
from http import HTTPStatus
from typing import TYPE_CHECKING

import anyio
import msgspec
from anyio import to_thread

from carrier_actions_web.rules import Rules
from carrier_actions_web.urls import Target, follow
from carrier_core import Rejected
from carrier_core.providing import quieten, seconds_of

if TYPE_CHECKING:
    import ssl

    import httpcore2
    import httpx2

    from carrier_actions_web.guard import Resolve

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SLACK = 100_000  # bytes: what is sent in small pieces, or packed badly, may take more of them than it unpacks to
_CODINGS = "gzip, deflate"  # what is unpacked in bounded pieces without any other library

SENDING = "send_request_headers.started"
"""How the pool's trace calls the moment from which on the other side may know of a request."""


class Limits(msgspec.Struct, frozen=True):
    """Bounds of one question, its redirects included. Times are in seconds: until a connection stands, of silence, and in all.
    ``bytes`` are those of the answer's body, unpacked; beyond them it is cut."""

    connect: float = 10.0
    read: float = 15.0
    total: float = 30.0
    bytes: int = 2_000_000
    redirects: int = 5


class Question(msgspec.Struct, frozen=True):
    """What is asked. ``own`` are headers that only the origin of ``target`` is to see, and ``secrets`` what no other is to be
    told in a URL either. ``stays`` says that redirects to other hosts are not followed: who allowed the one has not allowed
    the other.
    """

    target: Target
    method: str = "GET"
    headers: Mapping[str, str] = {}
    own: Mapping[str, str] = {}
    content: bytes | None = None
    secrets: tuple[str, ...] = ()
    stays: bool = False

    def __repr__(self) -> str:
        return f"Question({self.method} {self.target.place})"  # the rest may be secret

    @property
    def safe(self) -> bool:
        """Whether it changes nothing over there, so that it may be asked again."""
        return self.method == "GET"


class Answer(msgspec.Struct):
    """What came back, from ``target`` after all redirects. ``cut`` says that the body is longer, ``broken`` why it is not whole,
    ``leads`` where a redirect would lead that is not followed."""

    target: Target
    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    cut: bool = False
    broken: str = ""
    leads: Target | None = None

    @property
    def said(self) -> str:
        """The status in words; not in the server's own, which may be anything."""
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return str(self.status)

    @property
    def retry_after(self) -> float | None:
        """The seconds after which the server wants to be asked again, where it says so."""
        return seconds_of(self.headers.get("retry-after"))


class Unanswered(Exception):
    """There was no answer: why, as a sentence. ``sent`` says that the other side may have got the question."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.why = why
        self.sent = sent


class Web:
    """Asks questions under ``rules`` and within ``limits``. Nothing is kept from one to the next: no connection, no cookie.

    ``tls`` is the context for ``https``, with the certificates of this machine without it; ``lookup`` and ``dial`` are as
    :class:`~carrier_actions_web.guard.GuardedTransport` has them.
    """

    def __init__(
        self,
        rules: Rules,
        limits: Limits,
        *,
        agent: str = "",
        tls: ssl.SSLContext | None = None,
        lookup: Resolve | None = None,
        dial: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self.rules = rules
        self.limits = limits
        self._agent = agent
        self._tls = tls
        self._lookup = lookup
        self._dial = dial

    async def ask(self, question: Question, wanted: Callable[[Answer], bool] = lambda answer: True) -> Answer:
        """The answer; its body is only read where ``wanted``, which is given the answer without it, says so.

        Rejected where the guard or a rule about redirects refused, Unanswered where nobody answered in time.
        """
        trusted = await to_thread.run_sync(_prepared)
        tls = self._tls or trusted
        course = _Course(question.target)
        try:
            with anyio.fail_after(self.limits.total):
                return await self._followed(question, wanted, course, tls)
        except TimeoutError:
            if course.answer is not None and not question.safe:
                course.answer.broken = "it took too long"
                return course.answer
            why = f"{course.target.place} took longer than {self.limits.total:g} seconds."
            raise Unanswered(why, sent=course.sent) from None

    async def _followed(
        self, question: Question, wanted: Callable[[Answer], bool], course: _Course, tls: ssl.SSLContext
    ) -> Answer:
        rules = self.rules
        for _ in range(self.limits.redirects + 1):
            here = course.target
            answer = await self._asked(question, wanted, course, rules, tls)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or location is None or not question.safe:
                return answer
            if not rules.opens(here.host, here.port):
                rules = rules.public()  # who is outside has no say in what is asked of a host inside
            there = follow(here, location)
            rules.check(there)
            self._check_leak(question, here, there)
            if question.stays and not question.target.is_near(there):
                answer.leads = there
                return answer
            course.go(there)
        raise Rejected(f"{question.target.place} redirects more than {self.limits.redirects} times.")

    def _check_leak(self, question: Question, here: Target, there: Target) -> None:
        if there.origin != question.target.origin and any(_contains(str(there), each) for each in question.secrets):
            raise Rejected(f"{here.place} redirects to {there.place} with a secret in the URL, which is not followed.")

    async def _asked(
        self, question: Question, wanted: Callable[[Answer], bool], course: _Course, rules: Rules, tls: ssl.SSLContext
    ) -> Answer:
        """The answer of one place, a redirect included."""
        import httpx2

        target = course.target
        rules.check(target)
        async with self._client(rules, tls) as client:
            headers = self._headers(question, course)
            request = client.build_request(question.method, str(target), headers=headers, content=question.content)
            request.extensions["trace"] = course.trace
            try:
                response = await client.send(request, stream=True)
            except httpx2.TransportError as error:
                unsent = isinstance(error, httpx2.LocalProtocolError)  # found out before a byte of it was on its way
                raise Unanswered(_why(error, target, self.limits), sent=course.sent and not unsent) from None
            try:
                answer = course.answer = Answer(target, response.status_code, response.headers)
                if answer.status not in _REDIRECTS and wanted(answer):
                    await self._read(response, answer, question, course)
            finally:
                await response.aclose()
            return answer

    def _client(self, rules: Rules, tls: ssl.SSLContext) -> httpx2.AsyncClient:
        """A client for one request."""
        import httpx2

        from carrier_actions_web.guard import GuardedTransport, resolve

        lookup, most = self._lookup or resolve, 2 * self.limits.bytes + _SLACK
        guard = GuardedTransport(rules, most=most, tls=tls, lookup=lookup, dial=self._dial)
        waiting = httpx2.Timeout(self.limits.read, connect=self.limits.connect)
        return httpx2.AsyncClient(transport=guard, trust_env=False, follow_redirects=False, timeout=waiting)

    def _headers(self, question: Question, course: _Course) -> dict[str, str]:
        headers = {"User-Agent": self._agent, "Accept-Encoding": _CODINGS, "Connection": "close", **question.headers}
        if not course.strayed:
            headers |= question.own
        return headers

    async def _read(self, response: httpx2.Response, answer: Answer, question: Question, course: _Course) -> None:
        import httpx2

        body = bytearray()
        try:
            async with aclosing(response.aiter_bytes()) as pieces:
                async for piece in pieces:
                    body += piece
                    if len(body) > self.limits.bytes:
                        answer.cut = True
                        del body[self.limits.bytes :]
                        break
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            if question.safe:
                raise Unanswered(_why(error, answer.target, self.limits), sent=course.sent) from None
            answer.broken = "it broke off"
        finally:
            answer.body = bytes(body)


class _Course:
    """How far a question has got: where it is asked now, whether it was sent, what has come back."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.strayed = False  # to another origin, which from then on is who says what is asked
        self.sent = False
        self.answer: Answer | None = None

    def go(self, target: Target) -> None:
        """Follow a redirect."""
        self.strayed = self.strayed or target.origin != self.target.origin
        self.target = target

    async def trace(self, event: str, info: Mapping[str, object]) -> None:
        """Called by the pool at each step of a request."""
        if event.endswith(SENDING):
            self.sent = True


@functools.cache
def _prepared() -> ssl.SSLContext:
    """Import the client, which takes a while, keep what it logs (whole URLs) to warnings, and read the certificates: in a
    thread."""
    import httpcore2

    import carrier_actions_web.guard  # noqa: F401 - so that it is there

    quieten("httpx2", "httpcore2")
    return httpcore2.default_ssl_context()


def _contains(url: str, secret: str) -> bool:
    from urllib.parse import quote, quote_plus

    return any(form in url for form in (secret, quote(secret, safe=""), quote_plus(secret)))


def _why(error: Exception, target: Target, limits: Limits) -> str:
    """What happened to a question, as a sentence."""
    import httpx2

    place, text = target.place, str(error)
    match error:
        case httpx2.ConnectTimeout():
            return f"{place} could not be reached within {limits.connect:g} seconds."
        case httpx2.ConnectError() if "CERTIFICATE_VERIFY_FAILED" in text:
            return f"{place} could not be trusted: its certificate is not valid."
        case httpx2.ConnectError() if text.startswith("there is no host"):
            return f"There is no host {target.host}."
        case httpx2.ConnectError():
            return f"Nobody answers at {place}."
        case httpx2.TimeoutException():
            return f"{place} was silent for more than {limits.read:g} seconds."
        case httpx2.DecodingError():
            return f"What {place} answered cannot be unpacked."
        case httpx2.ReadError() if "over the wire" in text:
            return f"What {place} answered is too large."
        case httpx2.LocalProtocolError():
            return "The request cannot be sent as it is: a header has characters that it cannot have."
        case httpx2.ProtocolError():
            return f"What {place} answered is not HTTP, or its headers are too large, or it broke off."
        case _:
            return f"The connection to {place} broke off."
