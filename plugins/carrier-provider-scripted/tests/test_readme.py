"""The examples of the README: each file is read, and what is said to it gets the replies that stand there."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from carrier_core import ProviderError
from carrier_provider_scripted import Settings
from carrier_provider_scripted.phrases import _VALUES
from carrier_provider_scripted.rulefile import RuleFile, RuleSpec, When

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(version.*?)```\n\n```text\n(.*?)```", README, re.DOTALL)

# What the last example takes as given: a page that is read first.
READS_A_PAGE = """
version = 1
[[rules]]
contains = "page"
steps = [{ calls = [{ name = "get_page" }] }, { text = "The page was read." }]
"""


def test_there_are_examples():
    assert len(EXAMPLES) == 3


@pytest.mark.anyio
@pytest.mark.parametrize(("file", "transcript"), EXAMPLES, ids=["rules", "steps", "pairs"])
async def test_an_example_does_what_the_readme_says(talk, file, transcript):
    ana = talk(READS_A_PAGE, file) if "[[pairs]]" in file else talk(file)
    ana.messages += (await begun(talk)).messages  # so that nothing is introduced
    shown: list[str] = []
    completion = None
    for line in transcript.splitlines():
        if line.startswith("> "):
            assert shown == []
            try:
                completion = await ana.say(line[2:])
                shown = lines(completion)
            except ProviderError as error:
                shown = [f"[fails {error.reason}]"]
        elif line.startswith("[result "):
            assert shown == []
            completion = await ana.result(completion.calls[0], line[8:-1])
            shown = lines(completion)
        else:
            assert shown.pop(0) == line
    assert shown == []


async def begun(talk):
    other = talk('version = 1\n[[rules]]\ntext = "Well met."')
    await other.say("hello")
    return other


def lines(completion):
    said = completion.text.splitlines()
    return said + [f"[calls {call.name} {json.dumps(call.arguments)}]" for call in completion.calls]


def test_the_configuration_is_one():
    (config,) = re.findall(r"```toml\n(\[plugins\].*?)```", README, re.DOTALL)
    Settings(**tomllib.loads(config)["plugin"]["carrier-provider-scripted"])


@pytest.mark.parametrize(
    "name",
    [
        *Settings.model_fields,
        *RuleFile.__struct_fields__,
        *(name for name in RuleSpec.__struct_fields__ if name != "when"),
        *(f"when.{name}" for name in When.__struct_fields__),
        *_VALUES,
    ],
)
def test_every_key_and_name_is_documented(name):
    assert re.search(rf"^\|[^|]*`{re.escape(name)}[`(]", README, re.MULTILINE)
