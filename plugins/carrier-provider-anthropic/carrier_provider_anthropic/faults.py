"""What can go wrong with a call, as the API and its SDK tell it."""

from __future__ import annotations

from json import JSONDecodeError
from typing import TYPE_CHECKING

from carrier_core import ProviderError
from carrier_core.providing import Faults, Silent

if TYPE_CHECKING:
    from anthropic import APIStatusError

    from carrier_core import Json

CODES = {
    "authentication_error": "auth",
    "permission_error": "auth",
    "billing_error": "auth",
    "spending_limit": "auth",
    "enforced_spend_limit_reached": "auth",
    "contract_spend_limit_reached": "auth",
    "linked_organization_spend_limit_reached": "auth",
    "rate_limit_error": "rate_limit",
    "overloaded_error": "overloaded",
    "timeout_error": "timeout",
    "api_error": "server",
    "request_too_large": "length",
    "prompt_too_long": "length",
    "content_filtered": "refused",
    "not_found_error": "invalid",
    "limit_too_high": "invalid",
    "invalid_request_error": "invalid",
}
"""By the type or code of an error; https://platform.claude.com/docs/en/api/errors."""

SAID = {
    "prompt is too long": "prompt_too_long",
    "exceed context limit": "prompt_too_long",
    "maximum allowed number of output tokens": "limit_too_high",
    "credit balance is too low": "spending_limit",
    "usage limits": "spending_limit",
    "content filtering policy": "content_filtered",
}
"""Errors that have no code of their own, by what is said in them."""

REMEDIES = {
    "auth": "Check ANTHROPIC_API_KEY, and that the key may use this model.",
    "timeout": "Raise the time-outs in [plugin.carrier-provider-anthropic], or choose a faster model.",
    "connection": "Check the network and `base_url` (ANTHROPIC_BASE_URL).",
    "invalid": "Check `models` in [plugin.carrier-provider-anthropic] and in the agent's section.",
}
_PAY = "Check the plan and the limits of spending of the account that the key belongs to."
SPECIAL_REMEDIES = {
    "limit_too_high": "Lower `max_tokens`, in the agent's models and in [plugin.carrier-provider-anthropic].",
    "billing_error": _PAY,
    "spending_limit": _PAY,
    "enforced_spend_limit_reached": _PAY,
    "contract_spend_limit_reached": _PAY,
    "linked_organization_spend_limit_reached": _PAY,
    "not_found_error": "Name a model that there is in `models`, for the plugin or for the agent, and check `base_url`.",
}


def fault_of(error: Exception, faults: Faults) -> ProviderError:
    """What an exception of the SDK, of its HTTP client or of reading the stream means."""
    import anthropic
    import httpx2
    import msgspec

    if isinstance(error, ProviderError):
        return error
    if isinstance(error, Silent):
        return faults.silent(error)
    if isinstance(error, anthropic.APIStatusError):
        return _refused(error, faults)
    if isinstance(error, (anthropic.APIConnectionError, httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError)):
        return faults.unreachable(error)
    if isinstance(error, (msgspec.MsgspecError, JSONDecodeError, RecursionError, UnicodeDecodeError)):
        return faults.unspeakable(error)
    return faults.error("invalid", f"could not be asked ({type(error).__name__}: {error})")


def broken_off(error: Json, faults: Faults) -> ProviderError:
    """The stream says, after it has begun, that the answer failed."""
    said, codes = _told(error)
    return faults.broke_off(said or "it gave no reason", *codes, remedy=_remedy(codes))


def _refused(error: APIStatusError, faults: Faults) -> ProviderError:
    body = error.body if isinstance(error.body, dict) else {}
    said, codes = _told(body.get("error"))
    retry_after = error.response.headers.get("retry-after")
    return faults.status(
        error.status_code, said or error.message, *codes, retry_after=retry_after, remedy=_remedy(codes)
    )


def _told(error: Json) -> tuple[str, list[str]]:
    """What an error says, and its codes, the most exact one first."""
    if not isinstance(error, dict):
        return str(error or ""), []
    said, details = str(error.get("message") or ""), error.get("details")
    codes = [code for words, code in SAID.items() if words in said.lower()]
    if isinstance(details, dict):
        codes.append(str(details.get("error_code") or ""))
    return said, [*codes, str(error.get("type") or "")]


def _remedy(codes: list[str]) -> str:
    return next((SPECIAL_REMEDIES[code] for code in codes if code in SPECIAL_REMEDIES), "")
