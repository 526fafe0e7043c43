"""Names of tools, as models can have them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrier_actions_mcp.naming import name_of


def test_a_name_that_will_do_is_kept_behind_its_prefix() -> None:
    assert name_of("files_", "read-file_2") == "files_read-file_2"
    assert name_of("", "read_file") == "read_file"


def test_a_name_that_has_to_be_changed_says_which_one_it_was() -> None:
    dotted, slashed = name_of("crm_", "contacts.list"), name_of("crm_", "contacts/list")

    assert re.fullmatch(r"crm_contacts_list_[0-9a-f]{6}", dotted)
    assert re.fullmatch(r"crm_contacts_list_[0-9a-f]{6}", slashed)
    assert dotted != slashed


def test_two_long_names_stay_two() -> None:
    one, other = name_of("a_", "x" * 80 + "1"), name_of("a_", "x" * 80 + "2")

    assert one != other
    assert len(one) == len(other) == 64


@given(st.from_regex(r"[A-Za-z0-9_-]{0,40}", fullmatch=True), st.text())
def test_every_name_can_be_a_tools_name(prefix: str, tool: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name_of(prefix, tool))


@pytest.mark.parametrize("tool", ["\ud800", "", "日本語"])
def test_names_without_any_letter_of_ours_have_one_all_the_same(tool: str) -> None:
    assert re.fullmatch(r"p__*[0-9a-f]{6}", name_of("p_", tool))
