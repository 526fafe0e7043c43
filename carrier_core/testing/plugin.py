"""The pytest plugin of Carrier."""

from __future__ import annotations
