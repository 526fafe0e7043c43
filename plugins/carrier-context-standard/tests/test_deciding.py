"""Whether an agent answers what was said to nobody in particular, where its character has a template that asks."""

from __future__ import annotations

import pytest

import carrier_context_standard
from carrier_core import Completion, Part, Prompt, ProviderError
from carrier_core.testing import EchoProvider, HostUnderTest, running_host

pytestmark = pytest.mark.anyio

TEMPLATE = "{{agentName}} hears {{senderName}} in a group. Should {{agentName}} RESPOND, IGNORE or STOP?"


def host(answer: object, template: str = TEMPLATE):
    """A host whose small model gives this answer to the template; the large one echoes."""

    def say(prompt: Prompt) -> object:
        if prompt.model == "small":
            return answer
        return Completion((Part("I am here."),), provider="echo", model="echo")

    return running_host(
        [carrier_context_standard],
        character={"name": "Robin", "templates": {"should_respond_template": template} if template else {}},
        provider=EchoProvider(say),
    )


async def said_in_group(running: HostUnderTest, text: str) -> dict[str, object]:
    accepted = await running.client.say(running.client.group("hall"), "Ana", text)
    return await running.host.wait(accepted.heard[0].turn)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("RESPOND", "replied"),
        ("<action>REPLY</action>", "replied"),
        ("It says STOP nowhere, so [RESPOND]", "replied"),
        ("IGNORE", "silent"),
        ("stop.", "silent"),
        ("I cannot say", "silent"),
    ],
)
async def test_the_small_model_decides(answer, status):
    async with host(answer) as running:
        told = await said_in_group(running, "What a day!")
        assert told["status"] == status
        question = running.provider.prompts[0]
        assert "Robin hears Ana in a group." in question.messages[0].text
        assert question.messages[-1].text == "What a day!"


async def test_whoever_addresses_the_agent_is_answered_without_asking():
    async with host("IGNORE") as running:
        assert (await said_in_group(running, "Robin, what a day!"))["status"] == "replied"
        assert await running.ask("hello") == "I am here."
        assert [prompt.model for prompt in running.provider.prompts] == ["large", "large"]


async def test_without_the_template_nothing_is_asked():
    async with host("RESPOND", template="") as running:
        assert (await said_in_group(running, "What a day!"))["status"] == "silent"
        assert running.provider.prompts == []


@pytest.mark.parametrize("answer", [ProviderError("It is down.", reason="auth")])
async def test_where_no_answer_can_be_had_the_agent_is_silent(answer):
    async with host(answer) as running:
        assert (await said_in_group(running, "What a day!"))["status"] == "silent"


async def test_a_template_that_fails_leaves_it_to_the_next_one():
    async with host("RESPOND", template="{{ 1 / 0 }} {{ agentName }}") as running:
        assert (await said_in_group(running, "What a day!"))["status"] == "silent"
        assert running.provider.prompts == []
