"""What overrides the file: ``.env``, environment variables and systemd's credentials, in rising order."""

from typing import Annotated

import pytest
from pydantic import BaseModel, SecretStr

from carrier_core.errors import ConfigError
from carrier_core.settings import PluginSettings, load, secret, well_known


class Inner(BaseModel):
    deep: int = 0


class Terminal(PluginSettings):
    prompt: str = ">"
    width: int = 80
    key: SecretStr | None = secret("TERMINAL_KEY")
    server: Annotated[str, well_known("TERMINAL_SERVER")] = ""
    names: tuple[str, ...] = ()
    numbers: list[int] = []
    inner: Inner = Inner()
    limits: dict[str, float] = {}
    loud: bool = False


NAME = "carrier-client-terminal"
FILE = "[agents.my-bot]\n[limits]\nrooms = 1\n[plugin.carrier-client-terminal]\nprompt = '$'\n"


@pytest.fixture
def project(tmp_path):
    """Loads FILE in a project folder whose config folder is below it, as the design has it."""
    folder = tmp_path / "config"
    folder.mkdir()

    def project(environ=(), text=FILE):
        (folder / "carrier.toml").write_text(text)
        return load(folder / "carrier.toml", dict(environ), tmp_path)

    return project


@pytest.fixture
def credentials(tmp_path):
    folder = tmp_path / "credentials"
    folder.mkdir()

    def write(name, content):
        (folder / name).write_bytes(content)
        return {"CREDENTIALS_DIRECTORY": str(folder)}

    return write


def test_each_source_goes_over_the_one_before(project, tmp_path, credentials):
    assert project().settings.limits.rooms == 1
    (tmp_path / ".env").write_text("CARRIER_LIMITS__ROOMS=2\n")
    assert project().settings.limits.rooms == 2
    (tmp_path / "config" / ".env").write_text("CARRIER_LIMITS__ROOMS=3\n")
    assert project().settings.limits.rooms == 3
    environ = {"CARRIER_LIMITS__ROOMS": "4"}
    assert project(environ).settings.limits.rooms == 4
    environ |= credentials("CARRIER_LIMITS__ROOMS", b"5\n")
    assert project(environ).settings.limits.rooms == 5


def test_a_well_known_name_goes_the_same_way(project, tmp_path, credentials):
    def key(environ=()):
        return project(environ).plugin(NAME, Terminal).key

    assert key() is None
    (tmp_path / ".env").write_text("export TERMINAL_KEY='from .env' # comment\n")
    assert key().get_secret_value() == "from .env"
    environ = {"TERMINAL_KEY": "from environment"}
    assert key(environ).get_secret_value() == "from environment"
    by_file = environ | credentials("terminal_key", b"from a file\n")
    assert key(by_file).get_secret_value() == "from a file"
    environ["CARRIER_PLUGIN__CARRIER_CLIENT_TERMINAL__KEY"] = "its own"
    assert key(environ).get_secret_value() == "its own"


def test_names_have_no_case_and_dashes_are_underscores(project):
    config = project(
        {
            "carrier_plugin__carrier_client_terminal__PROMPT": "#",
            "CARRIER_AGENTS__MY_BOT__KIND": "task",
            "CARRIER_AGENTS__NEW__CHARACTER": "tifa",
        }
    )
    assert config.plugin(NAME, Terminal).prompt == "#"
    assert {name: agent.kind for name, agent in config.settings.agents.items()} == {
        "my-bot": "task",
        "new": "conversational",
    }
    assert config.unknown_sections([f"plugin.{NAME}"]) == ()


@pytest.mark.parametrize(
    ("key", "text", "field", "value"),
    [
        ("WIDTH", " 100 ", "width", 100),
        ("PROMPT", "100", "prompt", "100"),
        ("LOUD", "yes", "loud", True),
        ("LOUD", "0", "loud", False),
        ("NAMES", "a, b", "names", ("a", "b")),
        ("NAMES", '["a", "b,c"]', "names", ("a", "b,c")),
        ("NUMBERS", "1,2", "numbers", [1, 2]),
        ("INNER__DEEP", "3", "inner", Inner(deep=3)),
        ("INNER", '{"deep": 4}', "inner", Inner(deep=4)),
        ("LIMITS__X", "1.5", "limits", {"x": 1.5}),
        ("SERVER", "", "server", ""),
    ],
)
def test_what_a_text_stands_for(project, key, text, field, value):
    config = project({f"CARRIER_PLUGIN__CARRIER_CLIENT_TERMINAL__{key}": text})
    assert config.plugin_faults(NAME, Terminal) == ()
    assert getattr(config.plugin(NAME, Terminal), field) == value


def test_a_table_as_json_leaves_the_other_keys(project):
    config = project({"CARRIER_LIMITS": '{"breaker_failures": 2}'})
    assert (config.settings.limits.rooms, config.settings.limits.breaker_failures) == (1, 2)


def test_an_empty_variable_counts_as_absent(project):
    config = project({"CARRIER_LIMITS__ROOMS": "", "TERMINAL_KEY": ""})
    assert config.settings.limits.rooms == 1
    assert config.plugin(NAME, Terminal).key is None


def test_a_client_can_be_switched_off(project):
    config = project({"CARRIER_CLIENTS__HTTP__ENABLED": "false"}, "[agents.a]\n")
    assert config.settings.clients == {"http": {"enabled": False}}
    assert config.unknown_sections([]) == ()
    config = project({"CARRIER_CLIENTS__HTTP__ENABLED": "true"}, "[agents.a]\n[clients.http]\nenabled = false\n")
    assert len(config.unknown_sections([])) == 2


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("CARRIER_LIMITS__ROMS", "CARRIER_LIMITS__ROOMS"),
        ("CARRIER_LIMITS_ROOMS", "CARRIER_LIMITS__ROOMS"),
        ("CARRIER_LIMIT__ROOMS", "CARRIER_LIMITS__ROOMS"),
        ("CARRIER_AGENTS__MY_BOT__CARACTER", "CARRIER_AGENTS__MY_BOT__CHARACTER"),
        ("CARRIER_LOG__LEVEL__X", "CARRIER_LOG__LEVEL"),
        ("CARRIER_CONFG", "CARRIER_CONFIG"),
        ("CARRIER_LIMITS__ROOMS__", "CARRIER_LIMITS__ROOMS"),
        ("carrier_log__levl", "CARRIER_LOG__LEVEL"),
    ],
)
def test_an_unknown_key_in_a_variable(project, name, nearest):
    (fault,) = project({name: "1"}).faults
    assert fault.message == f"${name} sets no key that there is."
    assert fault.remedy == f"Did you mean `{nearest}`?"
    assert fault.file is None


def test_a_variable_that_names_only_a_section(project):
    (fault,) = project({"CARRIER_CLIENTS__HTTP": "{}"}).faults
    assert "$CARRIER_CLIENTS__HTTP sets no key" in fault.message


def test_an_unknown_key_of_a_plugin(project):
    name = "CARRIER_PLUGIN__CARRIER_CLIENT_TERMINAL__PROMT"
    config = project({name: "1"})
    assert config.faults == ()
    (fault,) = config.plugin_faults(NAME, Terminal)
    assert fault.message == f"${name} sets no key that there is."
    assert fault.remedy == "Did you mean `CARRIER_PLUGIN__CARRIER_CLIENT_TERMINAL__PROMPT`?"


def test_variables_that_are_no_settings_are_left_alone(project):
    environ = {
        "CARRIER_CONFIG": "x",
        "CARRIER_STATE": "y",
        "CARRIER_TRACE": "1",
        "CARRIERX": "1",
        "HOME": "/",
    }
    assert project(environ).faults == ()


def test_a_wrong_value_names_its_variable_and_its_place(project, tmp_path, credentials):
    (tmp_path / ".env").write_text("# comment\n\nOTHER=1\nCARRIER_LIMITS__ROOMS=many\nCARRIER_FOO=1\n")
    rooms, foo = project().faults
    assert rooms.message == '$CARRIER_LIMITS__ROOMS: `rooms` in [limits] must be a whole number, not "many".'
    assert (rooms.file, rooms.line) == (str(tmp_path / ".env"), 4)
    assert (foo.file, foo.line) == (str(tmp_path / ".env"), 5)
    (tmp_path / ".env").unlink()
    (fault,) = project(credentials("CARRIER_LOG__LEVEL", b"loud")).faults
    assert fault.file == str(tmp_path / "credentials" / "CARRIER_LOG__LEVEL")
    (fault,) = project({"CARRIER_PLUGINS__ENABLED": "a,b b"}).faults
    assert fault.message.startswith("$CARRIER_PLUGINS__ENABLED: Entry 2 of `enabled` in [plugins]")


def test_a_secret_from_a_variable_is_not_shown(project):
    class Careful(PluginSettings):
        keys: dict[str, SecretStr] = {}

    name = "CARRIER_PLUGIN__P__KEYS"
    (fault,) = project({name: '{"a": {"b": "hunter22"}}'}).plugin_faults("p", Careful)
    assert name in fault.message
    assert "hunter22" not in str(fault)


def test_a_line_of_dotenv_that_is_none(project, tmp_path):
    (tmp_path / ".env").write_text("A=1\n\nthis is wrong\nB\n=x\n")
    assert [(fault.file, fault.line) for fault in project().faults] == [
        (str(tmp_path / ".env"), line) for line in (3, 4, 5)
    ]
    (tmp_path / ".env").write_bytes(b"A=1\nB=\xff\n")
    (fault,) = project().faults
    assert (fault.line, "not UTF-8" in fault.message) == (2, True)


def test_a_folder_called_dotenv_is_none(project, tmp_path):
    (tmp_path / ".env").mkdir()
    assert project().faults == ()


def test_a_dollar_in_dotenv_is_a_dollar(project, tmp_path):
    (tmp_path / ".env").write_text('TERMINAL_KEY="a${HOME}b"\n')
    assert project().plugin(NAME, Terminal).key.get_secret_value() == "a${HOME}b"


def test_values_that_are_no_text_matter_when_they_are_used(project, credentials):
    environ = {"TERMINAL_KEY": "\udcff", "LESS": "\udcff", **credentials("CERTIFICATE", b"\xff\x00")}
    config = project(environ)
    assert config.faults == ()
    (fault,) = config.plugin_faults(NAME, Terminal)
    assert "$TERMINAL_KEY" in fault.message
    assert "UTF-8" in fault.message
    (fault,) = project(credentials("CARRIER_LOG__LEVEL", b"\xff")).faults
    assert "$CARRIER_LOG__LEVEL" in fault.message


def test_credentials_that_are_no_variables_are_not_read(project, credentials):
    assert project(credentials("server.key", b"\xff")).faults == ()


def test_a_folder_of_credentials_that_is_not_there(project, tmp_path):
    (fault,) = project({"CREDENTIALS_DIRECTORY": str(tmp_path / "no")}).faults
    assert "$CREDENTIALS_DIRECTORY" in fault.remedy
    assert isinstance(fault, ConfigError)
