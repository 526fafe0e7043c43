"""Skills: found, described to the model, read when they are used, and nothing beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

import carrier_actions_skills
from carrier_actions_skills import LARGEST, found_in
from carrier_core import ActionCall, Completion, ConfigError, Effect, Finish
from carrier_core.testing import running_host

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def write(folder: Path, name: str, text: str | None = None, **files: str) -> Path:
    """A skill in a folder."""
    where = folder / "skills" / name
    where.mkdir(parents=True)
    given = (
        text if text is not None else f"---\nname: {name}\ndescription: How to do\n  {name}.\n---\nDo {name} well.\n"
    )
    (where / "SKILL.md").write_text(given)
    for file, content in files.items():
        (where / f"{file}.md").write_text(content)
    return where


async def call(running, action: str, **arguments: object) -> str:
    """What the model is told of a call."""
    running.provider.then(Completion((), (ActionCall("c", action, arguments),), Finish.CALLS), "done")
    await running.ask("go")
    return running.provider.prompts[-1].messages[-1].text


TRUSTED = '[policy]\ntrusted = ["carrier-actions-skills"]\n'


async def test_the_model_knows_what_there_is_and_reads_what_it_needs(tmp_path: Path) -> None:
    write(tmp_path, "refunds", letter="Dear {name}")
    write(tmp_path, "greetings")
    async with running_host([carrier_actions_skills], config=TRUSTED, folder=tmp_path) as running:
        assert await call(running, "use_skill", name="refunds") == (
            "Do refunds well.\n\nFiles of this skill, for read_skill_file: letter.md"
        )
        assert await call(running, "LOAD_SKILL", name="greetings") == "Do greetings well."
        assert await call(running, "read_skill_file", name="refunds", path="letter.md") == "Dear {name}"

        (tool, _) = running.provider.prompts[0].tools
        assert "- refunds: How to do refunds.\n" in f"{tool.description}\n"
        origins = {origin for part in running.provider.prompts[-1].parts for origin in part.provenance.origins}
        assert not [origin for origin in origins if origin.startswith("outside:")]


async def test_without_trust_what_a_skill_says_is_from_outside(tmp_path: Path) -> None:
    write(tmp_path, "refunds")
    async with running_host([carrier_actions_skills], folder=tmp_path) as running:
        await call(running, "use_skill", name="refunds")
        (part,) = running.provider.prompts[-1].messages[-1].parts
        assert part.provenance.origins == ("outside:plugin/carrier-actions-skills",)


async def test_a_changed_text_counts_at_once(tmp_path: Path) -> None:
    where = write(tmp_path, "refunds")
    async with running_host([carrier_actions_skills], folder=tmp_path) as running:
        (where / "SKILL.md").write_text("---\nname: refunds\ndescription: x\n---\nDo it better.\n")
        assert await call(running, "use_skill", name="refunds") == "Do it better."
        (where / "SKILL.md").unlink()
        assert "gone" in await call(running, "use_skill", name="refunds")


@pytest.mark.parametrize("path", ["../../carrier.toml", "/etc/passwd", "nothing.md", "", "link.md", "noise.md", "a\0b"])
async def test_nothing_but_texts_of_the_skill_is_read(tmp_path: Path, path: str) -> None:
    where = write(tmp_path, "refunds")
    (where / "link.md").symlink_to(tmp_path / "carrier.toml")
    (where / "noise.md").write_bytes(b"\xff\xfe\x00\x01")
    async with running_host([carrier_actions_skills], folder=tmp_path) as running:
        assert "has no text" in await call(running, "read_skill_file", name="refunds", path=path)


async def test_a_long_file_is_cut(tmp_path: Path) -> None:
    write(tmp_path, "refunds", long="x" * (LARGEST + 1))
    async with running_host(
        [carrier_actions_skills], folder=tmp_path, config="[limits]\nresult_bytes = 200000"
    ) as host:
        told = await call(host, "read_skill_file", name="refunds", path="long.md")
    assert told.endswith("x\n[The rest is left out.]")


async def test_an_unknown_skill_is_told(tmp_path: Path) -> None:
    write(tmp_path, "refunds")
    async with running_host([carrier_actions_skills], folder=tmp_path) as running:
        told = await call(running, "use_skill", name="cooking")
    assert "there is no skill cooking; there are: refunds." in told
    assert ".." not in told


async def test_without_skills_there_are_no_actions(tmp_path: Path) -> None:
    async with running_host([carrier_actions_skills], folder=tmp_path) as running:
        await running.ask("hello")
        assert running.provider.prompts[0].tools == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Do it.", "does not begin with YAML"),
        ("---\nname: a\n", "does not begin with YAML"),
        ("---\nname: [\n---\nx", "YAML is broken"),
        ("---\ndescription: x\n---\nx", "no proper name"),
        ("---\nname: Big Name\ndescription: x\n---\nx", "no proper name"),
        ("---\nname: a\n---\nx", "no description"),
        (f"---\nname: a\ndescription: {'x' * 1025}\n---\nx", "no description"),
        ("---\nname: a\ndescription: x\n---\n \n", "no instructions"),
        ("---\njust text\n---\nx", "no proper name"),
        ("", "does not begin with YAML"),
    ],
)
def test_what_is_wrong_with_a_skill_is_told_with_its_file_and_the_others_go_on(
    tmp_path: Path, text: str, problem: str
) -> None:
    where = write(tmp_path, "refunds", text)
    write(tmp_path, "greetings")

    skills, (fault,) = found_in((tmp_path / "skills",))

    assert list(skills) == ["greetings"]
    assert problem in fault.message
    assert fault.file == str(where / "SKILL.md")
    assert fault.remedy


def test_of_two_skills_of_one_name_the_first_counts_and_the_other_is_a_fault(tmp_path: Path) -> None:
    first = write(tmp_path, "refunds")
    other = write(tmp_path, "returns", "---\nname: refunds\ndescription: x\n---\nx")

    skills, (fault,) = found_in((tmp_path / "skills",))

    assert skills["refunds"].folder == first
    assert "there twice" in fault.message
    assert fault.file == str(other / "SKILL.md")


async def test_a_broken_skill_is_left_out_and_the_log_names_it(tmp_path: Path, capsys) -> None:
    where = write(tmp_path, "refunds", "---\nname: [\n---\nx")
    write(tmp_path, "greetings")
    async with running_host([carrier_actions_skills], config=TRUSTED, folder=tmp_path) as running:
        assert await call(running, "use_skill", name="greetings") == "Do greetings well."

    logged = "".join(capsys.readouterr())
    assert "skill_left_out" in logged
    assert str(where / "SKILL.md") in logged
    assert "YAML is broken" in logged


def test_where_no_skill_can_be_used_each_is_named(tmp_path: Path) -> None:
    first, other = write(tmp_path, "refunds", "Do it."), write(tmp_path, "returns", "---\nname: a\n---\nx")

    with pytest.raises(ConfigError, match="does not begin with YAML") as raised:
        carrier_actions_skills.register_actions(carrier_actions_skills.Settings(folders=(tmp_path / "skills",)))

    assert raised.value.file == str(first / "SKILL.md")
    assert f"{other / 'SKILL.md'}:2: The skill cannot be used: it has no description." in raised.value.message


def test_they_only_read() -> None:
    assert {
        action.effect for action in (carrier_actions_skills.UseSkill({}), carrier_actions_skills.ReadSkillFile({}))
    } == {Effect.READ}
