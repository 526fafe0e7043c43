"""What the exceptions of the SDK, and the codes of those who speak its protocol, mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carrier_core import ProviderError
from carrier_core.providing import Faults, Silent

if TYPE_CHECKING:
    from openai import APIError, APIStatusError

CODES = {
    "rate_limit_exceeded": "rate_limit",
    "rate_limit_error": "rate_limit",
    "insufficient_quota": "rate_limit",
    "server_error": "server",
    "overloaded_error": "overloaded",
    "vector_store_timeout": "timeout",
    "invalid_api_key": "auth",
    "authentication_error": "auth",
    "context_length_exceeded": "length",
    "exceed_context_size_error": "length",  # llama.cpp
    "content_filter": "refused",
    "content_policy_violation": "refused",
    "image_content_policy_violation": "refused",
    "misalignment_policy_violation": "refused",
    "bio_policy": "refused",
    "invalid_prompt": "refused",
}
"""Reasons by the code or type that a server gives."""

_REMEDIES = {
    "insufficient_quota": "Check the plan and billing of the account that the key belongs to.",
    "model_not_found": "Name a model that the server has in `models`, for the plugin or for the agent.",
}


class BrokenOff(Exception):
    """An event of the stream says that the model failed."""

    def __init__(self, code: str | None, message: str | None) -> None:
        super().__init__(message or "it gave no reason")
        self.code = code


def fault_of(error: Exception, faults: Faults, section: str) -> ProviderError:
    """What an exception means that a call ended with. ``section`` is the server's, for remedies."""
    import httpx2
    import openai

    if isinstance(error, ProviderError):
        return error
    if isinstance(error, Silent):
        return faults.silent(error)
    if isinstance(error, BrokenOff):
        return faults.broke_off(str(error), _code(error.code, str(error)))
    if isinstance(error, openai.APIStatusError):
        return _status(error, faults, section)
    if isinstance(error, (openai.APIConnectionError, httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError)):
        return faults.unreachable(error)
    if isinstance(error, openai.APIError):
        return _broke_off(error, faults)
    if isinstance(error, openai.OpenAIError):
        return faults.error("invalid", f"could not be asked: {error}")
    return faults.unspeakable(error)


def _status(error: APIStatusError, faults: Faults, section: str) -> ProviderError:
    body = error.body if isinstance(error.body, dict) else {}
    said = str(body.get("message") or error.message)
    remedy = _REMEDIES.get(error.code or "", "")
    if not remedy and "image" in f"{error.code} {said}".lower():
        remedy = f"If it is about a picture, choose a model that can see, or set `images = false` in [{section}]."
    return faults.status(
        error.status_code,
        said,
        _code(error.code, said),
        error.type,
        retry_after=error.response.headers.get("retry-after"),
        remedy=remedy,
    )


def _broke_off(error: APIError, faults: Faults) -> ProviderError:
    """An event that is an error. Some gateways give the status as its code."""
    code = error.code or ""
    if len(code) == 3 and code.isdecimal():
        return faults.status(int(code), error.message, _code(None, error.message), error.type)
    return faults.broke_off(error.message, _code(code, error.message), error.type, remedy=_REMEDIES.get(code, ""))


def _code(code: str | None, said: str) -> str | None:
    """The code, also where a server (vLLM, for one) has only words for a prompt that is too long."""
    return "context_length_exceeded" if "maximum context length" in said.lower() else code
