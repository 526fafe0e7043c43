"""The sections of the configuration: one frozen class each, which knows its keys, types, bounds and defaults.

Every key has a description, because the reference of the configuration is made from these classes.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

ModelClass = Literal["small", "large", "reasoning", "embedding", "vision"]
Level = Literal["debug", "info", "warning", "error", "critical"]

_AGENT = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
PLUGIN_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_HOOK = re.compile(r"[^\s:]+:[A-Za-z_][A-Za-z0-9_]*")
_MODEL = re.compile(r"[^\s/]+(?:/\S+)?")
_SECTION = re.compile(r"(?:plugin|clients)\.[^.\s]+")


def _agent_name(name: str) -> str:
    if not _AGENT.fullmatch(name):
        raise ValueError("an agent's name begins with a letter and consists of letters, digits, - and _, at most 64")
    return name


def _plugin_name(name: str) -> str:
    if not PLUGIN_NAME.fullmatch(name):
        raise ValueError("a plugin's name consists of letters, digits, dots, - and _, as `carrierd plugins` shows it")
    return name


def _hook_name(name: str) -> str:
    if not _HOOK.fullmatch(name):
        raise ValueError('a hook of a plugin is written "plugin:hook", such as "my-plugin:authorize"')
    return name


def _model_name(name: str) -> str:
    if not _MODEL.fullmatch(name):
        raise ValueError('a model is written "provider/model", or "provider" for that provider\'s own choice')
    return name


def _without_repeats(names: tuple[str, ...]) -> tuple[str, ...]:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ValueError(f"{name} is listed twice")
    return names


def _use(given: object) -> object:
    """A model, or several, written without a table around them. Lists become tuples: this is Python's data, not JSON's."""
    if isinstance(given, str):
        return {"use": (given,)}
    if isinstance(given, (list, tuple)):
        return {"use": tuple(given)}
    if isinstance(given, dict):
        return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    if not isinstance(given, BaseModel):
        raise ValueError('a model is written "provider/model", several as a list, with more settings as a table')
    return given


AgentName = Annotated[str, AfterValidator(_agent_name)]
HookName = Annotated[str, AfterValidator(_hook_name)]
ModelName = Annotated[str, AfterValidator(_model_name)]
Word = Annotated[str, Field(min_length=1)]
Words = Annotated[tuple[Word, ...], AfterValidator(_without_repeats)]
PluginNames = Annotated[tuple[Annotated[str, AfterValidator(_plugin_name)], ...], AfterValidator(_without_repeats)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


def _listed(given: object) -> object:
    """One word, or several, written without a list around it."""
    return (given,) if isinstance(given, str) else tuple(given) if isinstance(given, list) else given


Patterns = Annotated[Words, BeforeValidator(_listed)]
"""Names in which ``*`` stands for anything; one may be written without a list around it."""

EffectName = Literal["read", "write", "external", "spend"]
RoleName = Literal["owner", "admin", "member", "guest"]
Approver = Literal["person", "admin", "owner", "operator"]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,  # it may be a secret
        defer_build=True,  # a section's own validator is never used: the one of all Settings contains it
    )


class PluginSettings(_Section):
    """What a plugin lets its operator set: subclass it as ``Settings`` and the plugin is given an instance.

    The fields are the keys of ``[plugin.NAME]``, or of the section that ``section`` names. A key that is no field is a
    fault. A secret is a ``SecretStr`` (see ``secret``); a field that has a well-known environment name tells it with
    ``well_known``. A default makes a key optional::

        class Settings(PluginSettings):
            section = "clients.http"

            port: int = 8080
            server: Annotated[str, well_known("HTTP_SERVER")] = "127.0.0.1"
            token: SecretStr | None = secret("HTTP_TOKEN")
    """

    section: ClassVar[str | None] = None
    """``clients.NAME`` or ``plugin.NAME``; None is ``plugin.`` and the plugin's own name."""

    @classmethod
    def __pydantic_init_subclass__(cls, **keywords: object) -> None:
        if cls.section is not None and not _SECTION.fullmatch(cls.section):
            raise TypeError(
                f'{cls.__qualname__}.section is "{cls.section}"; write "clients.NAME" or "plugin.NAME", or leave it out.'
            )


def secret(*environment: str, required: bool = False, description: str | None = None) -> SecretStr:
    """The default of a field that holds a secret: ``api_key: SecretStr | None = secret("WEATHER_API_KEY")``.

    ``environment`` are the well-known names of variables it may come from, besides the plugin's section; they are taken
    out of the environment that child processes see. Without a value it is None, or a fault where it is ``required``.
    """
    extra = _environment(environment)
    if required:
        return cast("SecretStr", Field(json_schema_extra=extra, description=description))
    return cast("SecretStr", Field(default=None, json_schema_extra=extra, description=description))


def well_known(*environment: str) -> FieldInfo:
    """Marks a field that is no secret and has well-known environment names:
    ``server: Annotated[str, well_known("FTP_SERVER")]``."""
    return cast("FieldInfo", Field(json_schema_extra=_environment(environment)))


def _environment(names: tuple[str, ...]) -> dict[str, JsonValue]:
    return {"environment": list(names)}


class ModelSettings(_Section):
    """``[agents.NAME.models.CLASS]``: which models a class stands for, and how they are asked.

    ``large = "provider/model"`` and ``large = ["provider/model", "other/model"]`` are short for ``use``.
    """

    use: Annotated[tuple[ModelName, ...], Field(min_length=1), AfterValidator(_without_repeats)] = Field(
        description='The models, as "provider/model" or "provider": the first one, and if it cannot answer, the next.',
    )
    temperature: float | None = Field(None, ge=0, le=2, description="Passed on where the model has it.")
    max_tokens: Count | None = Field(
        None, description="Tokens that an answer may have; the model's own bound without it."
    )
    effort: Literal["none", "low", "medium", "high"] | None = Field(
        None, description="How much the model is to think before it answers, where it can be told."
    )


class TurnLimits(_Section):
    """When an agent's turn ends although its model would go on."""

    rounds: Count | None = Field(
        None,
        description="Rounds of generating and acting in one turn: 8, or 50 of an agent of the kind task, without it.",
    )
    revisions: int = Field(2, ge=0, description="How often an evaluation may send a draft back in one turn.")
    tokens: Count | None = Field(None, description="Tokens in and out that one turn may use; no bound without it.")
    seconds: Seconds | None = Field(
        None, description="Seconds that one turn may take: 300, or 3600 of an agent of the kind task, without it."
    )
    calls: Count | None = Field(
        None, description="Actions that one turn may call: 64, or 200 of an agent of the kind task, without it."
    )
    activations: Count = Field(
        5, description="How often a turn is begun without getting any further, before it is given up, visibly."
    )


class AgentMemory(_Section):
    """What an agent recalls."""

    kinds: Annotated[
        tuple[Literal["message", "fact", "document", "fragment", "goal"], ...],
        AfterValidator(_without_repeats),
    ] = Field(("message", "fact"), description="Kinds of memory that are recalled.")
    scope: Literal["room", "audience"] = Field(
        "room",
        description='Which messages are recalled: "room", those of the room; "audience", all that those in it may know.',
    )
    results: int = Field(5, gt=0, le=1000, description="Memories that one recall gives at most.")
    threshold: float = Field(0.0, ge=0, description="The least score of a memory that is recalled.")


class Kept(_Section):
    """How long rows of one kind are kept: the newest ``most`` of the last ``days``."""

    days: Seconds | None = Field(None, description="Days that they are kept; no bound without it.")
    most: Count | None = Field(None, description="How many of them are kept, the newest; no bound without it.")


class AgentSettings(_Section):
    """``[agents.NAME]``: one agent."""

    character: str = Field(
        "",
        description="The character: the name of a file in `characters/` beside this file, or a path. "
        "Without it, the agent's name.",
    )
    kind: Word = Field("conversational", description="The kind of agent, which decides how a turn ends.")
    clients: Words | None = Field(None, description="The clients it is reached by; all without it.")
    plugins: PluginNames | None = Field(None, description="The plugins that take part in its turns; all without it.")
    models: dict[ModelClass, Annotated[ModelSettings, BeforeValidator(_use)]] = Field(
        {},
        description="For each class of model (small, large, reasoning, embedding, vision) what it stands for; one that is "
        "not there is the large one.",
    )
    burst: Literal["each", "together", "latest"] = Field(
        "each",
        description='Messages of one person that arrive during a turn: "each" is answered; they are answered "together"; '
        'or only the "latest" is, and the others are remembered.',
    )
    conversation_length: int = Field(
        32, ge=0, le=10_000, description="Messages of history that the model is shown, at most."
    )
    failure: Word = Field(
        "Sorry, something went wrong on my side and I could not answer that. Please try again.",
        description="What the room is told when a turn fails.",
    )
    approval: Word = Field(
        "May I do this?\n{call}\n{reason}\nTo answer, write: approve {code}, or: refuse {code}",
        description="How a person is asked for an approval: {call}, {reason} and {code} are filled in.",
    )
    roles: dict[Literal["owner", "admin", "member"], Annotated[Words, BeforeValidator(_listed)]] = Field(
        {}, description='Who is what to it in every world, as "platform:ID" with the platform\'s own id.'
    )
    limits: TurnLimits = Field(default_factory=TurnLimits, description="The bounds of a turn.")
    memory: AgentMemory = Field(default_factory=AgentMemory, description="What it recalls.")
    retention: dict[Literal["message", "fact", "document", "fragment", "goal", "turn"], Kept] = Field(
        {}, description="How long what it keeps of each kind is kept; for ever without a rule."
    )


class PluginsSettings(_Section):
    """``[plugins]``: which plugins run, and in which order."""

    enabled: PluginNames = Field((), description="Installed plugins that run.")
    disabled: PluginNames = Field((), description="Plugins that do not run, single files among them.")
    required: PluginNames = Field((), description="Plugins without which nothing starts.")
    order: PluginNames = Field((), description="Plugins whose hooks run before those of the others, in this order.")
    folder: Word = Field("plugins", description="Where single-file plugins are, seen from this file's folder.")

    @field_validator("disabled", "required")
    @classmethod
    def _no_contradiction(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        other = "enabled" if info.field_name == "disabled" else "disabled"
        for name in names:
            if name in info.data.get(other, ()):
                raise ValueError(f"{name} is in `{other}` too")
        return names


class MemorySettings(_Section):
    """``[memory]``: where memories and the journal are kept."""

    store: Word | None = Field(None, description="The store to use where plugins bring several.")


class Between(_Section):
    """``{ min = 1, max = 50 }``: a number between two others."""

    min: float | None = Field(None, description="The least.")
    max: float | None = Field(None, description="The greatest.")


class PolicyRule(_Section):
    """``[[policy.rules]]``: what becomes of calls that fit all that it says. The first rule that fits decides."""

    ruling: Literal["allow", "ask", "deny"] = Field(description="What becomes of the call.")
    agent: Patterns | None = Field(None, description="The agents that it is for.")
    action: Patterns | None = Field(None, description="The actions.")
    effect: Annotated[tuple[EffectName, ...], BeforeValidator(_listed)] | None = Field(
        None, description="The effects of actions."
    )
    role: Annotated[tuple[RoleName, ...], BeforeValidator(_listed)] | None = Field(
        None, description="What the person spoken with is."
    )
    person: Patterns | None = Field(
        None, description='The persons, as "platform:ID" with the platform\'s own id, or by the id that `why` shows.'
    )
    room: Patterns | None = Field(None, description='The rooms, as "platform:ID" or by the id that `why` shows.')
    client: Patterns | None = Field(None, description="The clients that the message came in through.")
    arguments: dict[Word, bool | int | float | Patterns | Between] = Field(
        {},
        description="What arguments have to be: a text in which * stands for anything, one of several, a number, true or "
        "false, or { min, max }. Names with dots lead into an argument.",
    )
    outside: bool | None = Field(
        None,
        description="Whether the prompt has content from outside, or words of other people; either without it.",
    )
    approver: Approver | None = Field(None, description="Who may approve; else as `approver` of [policy].")
    reason: str = Field("", description="What the model and the person are told.")


class UseLimit(_Section):
    """``[[policy.limits]]``: how often actions may be used."""

    action: Patterns | None = Field(None, description="The actions that it counts; all without it.")
    effect: Annotated[tuple[EffectName, ...], BeforeValidator(_listed)] | None = Field(
        None, description="The effects of the actions that it counts."
    )
    agent: Patterns | None = Field(None, description="The agents that it is for.")
    per: Literal["person", "room", "agent", "host"] = Field(
        "person", description="For whom it counts: each person, room or agent for itself, or all together."
    )
    window: Literal["turn", "hour", "day", "month"] = Field(
        "day", description="For how long: a turn, or an hour, day or month by the calendar of [limits] zone."
    )
    most: Annotated[int, Field(ge=0)] = Field(description="Calls that are carried out.")


class PolicySettings(_Section):
    """``[policy]``: whom the operator trusts, and with what."""

    trusted: PluginNames = Field((), description="Plugins that may label what they say as the operator's words.")
    guards: Annotated[tuple[HookName, ...], AfterValidator(_without_repeats)] = Field(
        (), description='Hooks, as "plugin:hook", whose failure stops their step.'
    )
    allow: Words = Field(
        (),
        description="Actions that may do what they do without asking, whatever the prompt has from outside: "
        "a rule with `outside = false` says less.",
    )
    destinations: Words = Field(
        (),
        description='Where external actions may go without asking: hosts ("*.example.org"), the beginning of URLs '
        '("https://example.org/*"), addresses, rooms. * stands for anything.',
    )
    rules: tuple[PolicyRule, ...] = Field((), description="Rules that go before what is done by default.")
    limits: tuple[UseLimit, ...] = Field((), description="How often actions may be used.")
    approver: Approver = Field(
        "person",
        description="Who may approve what is asked: the person spoken with or, as always, an admin or the operator.",
    )
    approval_seconds: Seconds = Field(3600.0, description="Seconds for which an approval is waited for.")


class ProviderLimits(_Section):
    """``[limits.providers.NAME]``: what all agents together may ask of a provider; no bound without a number."""

    requests: Count | None = Field(None, description="Calls in a minute.")
    tokens: Count | None = Field(None, description="Tokens in and out in a minute.")
    at_once: Count | None = Field(None, description="Calls at one time.")


class ModelFacts(_Section):
    """``[models."provider/model"]``: what is to be known of a model, where the tables of prices do not say it or are wrong."""

    input: float | None = Field(None, ge=0, description="US dollars for a million tokens of the prompt.")
    output: float | None = Field(None, ge=0, description="US dollars for a million tokens of the answer.")
    cached: float | None = Field(
        None,
        ge=0,
        description="US dollars for a million tokens that are read from the provider's cache; else as `input`.",
    )
    stored: float | None = Field(
        None,
        ge=0,
        description="US dollars for a million tokens that are written to the provider's cache; else as `input`.",
    )
    context: Count | None = Field(None, description="Tokens that prompt and answer may have together.")


class Budget(_Section):
    """``[[budgets]]``: what may be spent on models, in money, in tokens or both, and what happens where it is."""

    per: Literal["turn", "person", "room", "agent", "provider", "host"] = Field(
        "host",
        description="For whom it counts: each turn, person, room, agent or provider for itself, or all together.",
    )
    window: Literal["day", "month"] = Field(
        "day",
        description="For how long: a calendar day or month in the time zone of [limits]. That of a turn is the turn.",
    )
    usd: float | None = Field(None, ge=0, description="US dollars that may be spent.")
    tokens: Annotated[int, Field(ge=0)] | None = Field(None, description="Tokens in and out that may be used.")
    agents: Words | None = Field(None, description="The agents that it is for; all without it.")
    then: Literal["refuse", "cheaper", "ask"] = Field(
        "refuse",
        description='What happens where a call would go beyond it: "refuse" says a sentence; "cheaper" asks the models of '
        'the class small, and refuses if these cost too much as well; "ask" asks the operator whether to go on.',
    )
    say: Word = Field(
        "I have to rest for a while. Please ask me again later.", description="The sentence, in the agent's voice."
    )

    @model_validator(mode="after")
    def _bounded(self) -> Budget:
        if self.usd is None and self.tokens is None:
            raise ValueError("a budget needs `usd`, `tokens` or both")
        return self


class HostLimits(_Section):
    """``[limits]``: bounds of the whole daemon."""

    message_bytes: Count = Field(65536, description="Bytes of text of one message; what is longer is cut.")
    rooms: Count = Field(10000, description="Rooms that are worked on at one time.")
    result_bytes: Count = Field(65536, description="Bytes of the result of an action; what is longer is cut.")
    model_attempts: Count = Field(3, description="Times that one model is asked before the next one is, if it fails.")
    providers: dict[Word, ProviderLimits] = Field({}, description="What each provider may be asked, by its name.")
    stop_seconds: Seconds = Field(10.0, description="Seconds that running turns have to end when the daemon stops.")
    delivery_attempts: Count = Field(12, description="Attempts to deliver a part of a reply, before it is given up.")
    lease_seconds: Seconds = Field(
        30.0, description="Seconds after which another daemon may take over the rooms of one that is silent."
    )
    breaker_failures: Count = Field(5, description="Failures of one hook of a plugin until it is quarantined.")
    breaker_window: Seconds = Field(60.0, description="Seconds within which these failures count together.")
    zone: Word = Field("UTC", description="The IANA time zone of the days and months of budgets and usage.")
    breaker_cooldown: Seconds = Field(30.0, description="Seconds until a quarantined hook is tried again.")
    budgets: dict[Word, Seconds] = Field(
        {}, description="Seconds that a hook has, by its name, where its own budget does not do."
    )


class LogSettings(_Section):
    """``[log]``: what is logged, and how."""

    level: Level = Field("info", description="The least level that is logged.")
    format: Literal["auto", "console", "json"] = Field(
        "auto", description='"console" for people, "json" for machines, "auto": console under a terminal.'
    )
    levels: dict[Word, Level] = Field({}, description="Levels of single loggers, by name.")


class Settings(_Section):
    """The whole configuration but what belongs to plugins."""

    agents: dict[AgentName, AgentSettings] = Field({}, description="The agents, by name.")
    clients: dict[Word, dict[str, bool]] = Field(
        {},
        description="The clients' sections, by name. Here is of each only whether it is `enabled`, where the file says "
        "so; the rest is the plugin's own.",
    )
    plugin: dict[Word, dict[str, bool]] = Field(
        {}, description="The names of plugins that have a section; what is in it is the plugin's own."
    )
    plugins: PluginsSettings = Field(default_factory=PluginsSettings, description="Which plugins run.")
    memory: MemorySettings = Field(default_factory=MemorySettings, description="Where memories are kept.")
    models: dict[ModelName, ModelFacts] = Field({}, description='What is to be known of models, by "provider/model".')
    budgets: tuple[Budget, ...] = Field((), description="What may be spent on models.")
    policy: PolicySettings = Field(default_factory=PolicySettings, description="Whom to trust.")
    limits: HostLimits = Field(default_factory=HostLimits, description="Bounds of the daemon.")
    log: LogSettings = Field(default_factory=LogSettings, description="What is logged.")

    @field_validator("agents")
    @classmethod
    def _named_characters(cls, agents: dict[str, AgentSettings]) -> dict[str, AgentSettings]:
        return {
            name: agent if agent.character else agent.model_copy(update={"character": name})
            for name, agent in agents.items()
        }
