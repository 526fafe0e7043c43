"""``carrierd check``: whatever is wrong with a configuration, a character or a plugin is told with file, line and remedy.

In the texts below ``#!`` marks the line that is to be told.
"""

import json
import os
import subprocess
import sys

import pytest

from carrier_core.cli import main

PLUGINS = '[plugins]\nenabled = ["carrier-memory-sqlite", "carrier-provider-scripted"]\n'
AGENT = "[agents.bot]\n"


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    """Nothing of the machine's own configuration or environment takes part."""
    for name in [name for name in os.environ if name.startswith("CARRIER_") or name.endswith(("_API_KEY", "_TOKEN"))]:
        monkeypatch.delenv(name)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(elsewhere))


@pytest.fixture
def write(tmp_path):
    """Writes files below the configuration's folder; the configuration gets an agent and plugins where it has none."""

    def write(files):
        everything = {"characters/bot.toml": 'name = "Bot"\n', **files}
        for name, text in everything.items():
            if name == "carrier.toml":
                text += "" if "[agents" in text else AGENT
                text += "" if "[plugins]" in text else PLUGINS
            path = tmp_path / "config" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path / "config"

    return write


@pytest.fixture
def check(write, capsys):
    """Writes files and runs ``carrierd check``; returns the exit code and the lines that it printed."""

    def check(files, *options):
        folder = write({"carrier.toml": "", **files})
        name = (
            next(name for name in files if name.startswith("carrier."))
            if "carrier.toml" not in files
            else "carrier.toml"
        )
        code = main(["check", "--config", str(folder / name), *options])
        printed = capsys.readouterr()
        assert printed.err == ""
        return code, printed.out.splitlines()

    return check


def marked(files):
    """The file and line that are marked."""
    found = [(name, nr) for name in files for nr, line in enumerate(files[name].splitlines(), 1) if "#!" in line]
    assert len(found) == 1
    return found[0]


ACTIONS = '[plugins]\nenabled = ["carrier-memory-sqlite", "carrier-provider-scripted", "carrier-actions-standard"]\n'


def config(text):
    return {"carrier.toml": text}


def one_file(text, name="own.py"):
    return {"carrier.toml": "", f"plugins/{name}": f"from carrier_core import *\nfrom carrier_core import impl\n{text}"}


def action(body, head="class Wave(Action):\n"):
    """A plugin that registers an action."""
    return one_file(f"{head}{body}\n@impl\ndef register_actions():\n    return Wave()\n")


WHOLE = """\
    name = "wave"
    description = "Waves."
    parameters = {"type": "object"}
    effect = Effect.READ
"""
PERFORM = "    async def perform(self, turn, call):\n        return ActionResult(call.id, 'done')\n"

# --- what is well --------------------------------------------------------------------------------------------------


def test_a_configuration_without_faults_exits_0_and_says_so(check, tmp_path):
    code, lines = check(config(""))
    assert (code, lines) == (0, [f"{tmp_path}/config/carrier.toml: all is well."])
    assert check(config(""), "--json") == (0, ["[]"])


def test_what_a_character_says_without_effect_is_noted_and_no_fault(check, tmp_path):
    files = {
        "carrier.toml": '[agents.bot]\ncharacter = "old.json"\n',
        "old.json": '{\n"name": "Bot",\n"modelProvider": "x",\n"bio": "A bot."\n}',
    }
    code, lines = check(files)
    assert code == 0
    assert lines[0].startswith(f"{tmp_path}/config/old.json:3: modelProvider: ")


def test_a_named_provider_without_its_key_is_noted(check):
    files = config('[agents.bot.models]\nlarge = "slow/m"\n') | one_file(
        "class Slow(Provider):\n    name = 'slow'\n    models = {}\n    def missing(self):\n        return 'No key is set.'\n"
        "    async def generate(self, prompt, model, emit):\n        raise ValueError\n"
        "@impl\ndef register_providers():\n    return Slow()\n"
    ) | config('[agents.bot.models]\nlarge = "slow/m"\n')  # fmt: skip
    code, lines = check(files)
    assert code == 0
    assert lines[0] == "[agents.bot] uses the provider slow: No key is set."


# --- the configuration -----------------------------------------------------------------------------------------------

KEYS = {
    "top-level key": ('naem = "x" #!\n', "There is no key `naem` at the top of the file.", "Known here: "),
    "section": ("[limit] #!\nrooms = 1\n", "There is no key `limit`", "Did you mean `limits`?"),
    "key of an agent": (
        '[agents.bot]\ncharcter = "bot" #!\n',
        "There is no key `charcter` in [agents.bot].",
        "`character`",
    ),
    "key of an agent's limits": ("[agents.bot.limits]\nround = 1 #!\n", "in [agents.bot.limits]", "`rounds`"),
    "key of an agent's memory": ("[agents.bot.memory]\nresult = 1 #!\n", "in [agents.bot.memory]", "`results`"),
    "class of model": (
        '[agents.bot.models]\nhuge = "x" #!\n',
        "There is no key `huge`",
        "Known here: embedding, large",
    ),
    "key of plugins": ("[plugins]\nenable = [] #!\n", "There is no key `enable` in [plugins].", "`enabled`"),
    "key of memory": ('[memory]\nstor = "x" #!\n', "There is no key `stor` in [memory].", "`store`"),
    "key of policy": ("[policy]\nguard = [] #!\n", "There is no key `guard` in [policy].", "`guards`"),
    "key of limits": ("[limits]\nroom = 1 #!\n", "There is no key `room` in [limits].", "`rooms`"),
    "key of log": ('[log]\nlevl = "info" #!\n', "There is no key `levl` in [log].", "`level"),
    "text for a number": (
        '[limits]\nrooms = "many" #!\n',
        '`rooms` in [limits] must be a whole number, not "many".',
        "10000",
    ),
    "number for a text": ("[agents.bot]\ncharacter = 3 #!\n", "must be text, not 3", "Correct it"),
    "number for a list": ("[policy]\nallow = 3 #!\n", "must be a list, not 3", "Correct it"),
    "text for a table": ('[agents]\nbot = "x" #!\n', "must be a table", "Correct it"),
    "list for a text": ("[agents.bot]\nkind = [] #!\n", "must be text", "conversational"),
    "fraction for a whole number": ("[limits]\nrooms = 1.5 #!\n", "must be a whole number, not 1.5", "10000"),
    "truth for a number": ("[limits]\nstop_seconds = true #!\n", "must be a number, not true", "10.0"),
    "text for a truth": ('[clients.x]\nenabled = "no" #!\n', 'must be true or false, not "no"', "Correct it"),
    "wrong entry of a list": (
        '[policy]\nallow = [\n"a",\n3, #!\n]\n',
        "Entry 2 of `allow` in [policy] must be text",
        "Correct",
    ),
    "text for a section": ('[plugin]\nweather = "x" #!\n', "`weather` in [plugin] must be a table", "[plugin.weather]"),
    "below the least": ("[agents.bot]\nconversation_length = -1 #!\n", "must be at least 0, not -1", "32"),
    "zero seconds": ("[agents.bot.limits]\nseconds = 0 #!\n", "must be more than 0, not 0", "leave it out"),
    "empty text": ('[memory]\nstore = "" #!\n', "must be text that is not empty", "leave it out"),
    "no finite number": ("[limits]\nstop_seconds = inf #!\n", "inf is no number to work with", "finite"),
    "above the most": ("[agents.bot]\nconversation_length = 99999999999 #!\n", "must be at most 10000", "32"),
    "NUL": ('[agents.bot]\ncharacter = "a\\u0000b" #!\n', "A text holds the character NUL.", "Take it out."),
    "agent's name": ('[agents."a b"] #!\n', "an agent's name begins with a letter", "Rename it"),
    "burst": (
        '[agents.bot]\nburst = "later" #!\n',
        'must be "each", "together" or "latest", not "later"',
        "the default is",
    ),
    "log level": ('[log]\nlevel = "loud" #!\n', "`level` in [log] must be", "info"),
    "no agent": ("[agents] #!\n", "No agent is configured.", "[agents.NAME]"),
    "plugin twice": ('[plugins]\nenabled = ["a", "a"] #!\n', "a is listed twice", "Correct it"),
    "enabled and disabled": (
        '[plugins]\nenabled = ["a"]\ndisabled = ["a"] #!\n',
        "a is in `enabled` too",
        "Correct it",
    ),
    "required and disabled": (
        '[plugins]\ndisabled = ["a"]\nrequired = ["a"] #!\n',
        "a is in `disabled` too",
        "Correct it",
    ),
    "plugin's name": ('[plugins]\nenabled = ["my plugin"] #!\n', "a plugin's name consists of", "Correct it"),
    "form of a guard": ('[policy]\nguards = ["authorize"] #!\n', 'is written "plugin:hook"', "Correct it"),
    "form of a model": ('[agents.bot.models]\nlarge = "a b" #!\n', '"provider/model"', "Correct it"),
    "syntax": ("[agents.bot]\nkind = #!\n", "This is not TOML: invalid value", "Correct this line"),
    "key twice": (
        "[limits]\nrooms = 1\nrooms = 2 #!\n",
        "This is not TOML: cannot overwrite a value",
        "Correct this line",
    ),
}


@pytest.mark.parametrize("case", KEYS.values(), ids=KEYS)
def test_a_fault_of_the_form_is_told(check, tmp_path, case):
    text, message, remedy = case
    code, lines = check(config(text))
    _, line = marked(config(text))
    assert code == 78
    assert [said for said in lines if not said.startswith(f"{tmp_path}/config/carrier.toml:{line}: ")] == []
    assert message in lines[0]
    assert remedy in lines[0]


NAMES = {
    "missing character": ('[agents.bot]\ncharacter = "bto" #!\n', "bto.toml does not exist", "Did you mean bot?"),
    "missing character of an agent's name": ("[agents.boz] #!\n", "boz.toml does not exist", "Did you mean bot?"),
    "kind": ('[agents.bot]\nkind = "chatty" #!\n', "There is no kind of agent chatty.", "conversational"),
    "client": ('[agents.bot]\nclients = ["irc"] #!\n', "There is no client irc.", "There are: none."),
    "plugin of an agent": (
        '[agents.bot]\nplugins = ["carrier-memory-sqlit"] #!\n',
        "There is no plugin",
        "carrier-memory-sqlite?",
    ),
    "provider": (
        '[agents.bot.models]\nlarge = "scriptd/x" #!\n',
        "There is no provider scriptd.",
        "Did you mean scripted?",
    ),
    "hook of a budget": ("[limits.budgets]\nprovide_stat = 1 #!\n", "There is no hook provide_stat.", "provide_state?"),
    "plugin of a guard": ('[policy]\nguards = ["x:decide"] #!\n', "There is no plugin x.", "There are: carrier-"),
    "hook of a guard": (
        '[policy]\nguards = ["carrier-memory-sqlite:decide"] #!\n',
        "carrier-memory-sqlite does not implement the hook decide.",
        "It implements: register_stores.",
    ),
    "guard that is off": (
        '[policy]\nguards = ["carrier-provider-openai:decide"] #!\n',
        "carrier-provider-openai does not run (not in `enabled` of [plugins])",
        "Enable it",
    ),
    "trusted": (
        '[policy]\ntrusted = [\n"carrier-memory-sqlit", #!\n]\n',
        "There is no plugin",
        "carrier-memory-sqlite?",
    ),
    "allowed action": (
        ACTIONS + '[policy]\nallow = ["send_mesage"] #!\n',
        "There is no action send_mesage.",
        "Did you mean send_message?",
    ),
    "action of a rule": (
        ACTIONS + '[[policy.rules]]\nruling = "deny"\naction = ["*", "send_mesage"] #!\n',
        "There is no action send_mesage.",
        "Did you mean send_message?",
    ),
    "person by name": ('[[policy.rules]]\nruling = "deny"\nperson = "Ana" #!\n', "fits nobody", '"local:ana"'),
    "room by name": ('[[policy.rules]]\nruling = "deny"\nroom = ["main"] #!\n', "fits nobody", "platform:ID"),
    "role by name": ('[agents.bot.roles]\nowner = "ana" #!\n', "fits nobody", "platform:ID"),
    "agent of a rule": (
        '[agents.bot]\n[[policy.rules]]\nruling = "deny"\nagent = "bott" #!\n',
        "There is no agent bott.",
        "Did you mean bot?",
    ),
    "client of a rule": (
        '[[policy.rules]]\nruling = "deny"\nclient = "telegraph" #!\n',
        "There is no client telegraph.",
        "There are: ",
    ),
    "argument of a rule": (
        ACTIONS + '[[policy.rules]]\nruling = "deny"\naction = "remember"\narguments = { txt = "*" } #!\n',
        "There is no argument txt.",
        "Did you mean text?",
    ),
    "numbers of a rule": (
        '[[policy.rules]]\nruling = "deny"\narguments = { n = { min = 3, max = 2 } } #!\n',
        "no number is at least 3 and at most 2",
        "as `min`",
    ),
    "approver of a denial": (
        '[[policy.rules]]\nruling = "deny"\napprover = "owner" #!\n',
        "Nobody can approve what a rule denies",
        "ask",
    ),
    "provider of a limit": (
        "[limits.providers.scriptd] #!\n",
        "There is no provider scriptd.",
        "Did you mean scripted?",
    ),
    "provider of a price": (
        '[models."scriptd/x"] #!\ninput = 1\n',
        "There is no provider scriptd.",
        "Did you mean scripted?",
    ),
    "price of no model": (
        "[models.scripted] #!\ninput = 1\n",
        '"scripted" names no model',
        '[models."scripted/MODEL"]',
    ),
    "agent of a budget": (
        '[[budgets]]\ntokens = 1\nagents = ["bto"] #!\n',
        "There is no agent bto.",
        "Did you mean bot?",
    ),
    "time zone": ('[limits]\nzone = "Atlantis/Capital" #!\n', "there is no time zone Atlantis/Capital", "IANA"),
    "character of nobody's home": (
        '[agents.bot]\ncharacter = "~nobody-here/x.toml" #!\n',
        "does not exist",
        "correct the path",
    ),
    "name that no file can have": (f'[agents.bot]\ncharacter = "{"x" * 300}" #!\n', "does not exist", "there: bot"),
    "folder that cannot be": (f'[plugins]\nfolder = "{"x" * 300}" #!\n', "There is no folder", "correct `folder`"),
    "file in a plugin's settings": (
        '[plugin.carrier-provider-scripted]\nrules = "nope.toml" #!\n',
        "cannot be read: No such file",
        "Correct the path, or write the file.",
    ),
    "store": ('[memory]\nstore = "sqlit" #!\n', "There is no store sqlit.", "There are: sqlite."),
    "no store": (
        '[plugins]\nenabled = ["carrier-provider-scripted"] #!\n',
        "No store for memories is enabled.",
        "Enable a plugin",
    ),
    "no provider": (
        '[agents.bot] #!\n[plugins]\nenabled = ["carrier-memory-sqlite"]\n',
        "No model provider is ready for the agent bot.",
        "Enable a plugin that brings one",
    ),
    "section of nobody": (
        "[plugin.weather] #!\ncity = 'Porto'\n",
        "[plugin.weather] belongs to no plugin",
        "Known here",
    ),
    "client's section of nobody": (
        "[clients.irc] #!\nenabled = true\n",
        "[clients.irc] belongs to no plugin",
        "Known here",
    ),
    "section near another": (
        "[plugin.carrier-memory-sqlit] #!\n",
        "belongs to no plugin",
        "`plugin.carrier-memory-sqlite`?",
    ),
    "plugin's key": ("[plugin.carrier-memory-sqlite]\nbusy = 1 #!\n", "There is no key `busy`", "Known here: "),
    "plugin's value": ("[plugin.carrier-provider-scripted]\nrules = 5 #!\n", "must be", "Correct it"),
    "folder of plugins": ('[plugins]\nfolder = "plugns" #!\n', "There is no folder", "Make it, or correct `folder`."),
    "enabled plugin": (
        '[plugins]\nenabled = [\n"carrier-memory-sqlite",\n"carrier-provider-scriptd", #!\n]\n',
        "The plugin carrier-provider-scriptd is not installed.",
        "Did you mean carrier-provider-scripted?",
    ),
    "disabled plugin": (
        '[plugins]\ndisabled = ["zzz"] #!\n',
        "The plugin zzz is not installed.",
        "take it out of `disabled`",
    ),
    "required plugin": ('[plugins]\nrequired = ["zzz"] #!\n', "The plugin zzz is not installed.", "pip install zzz"),
    "ordered plugin": ('[plugins]\norder = ["zzz"] #!\n', "The plugin zzz is not installed.", "take it out of `order`"),
    "required client that is off": (
        '[plugins]\nrequired = ["carrier-client-terminal"]\n[clients.terminal]\nenabled = false #!\n',
        "carrier-client-terminal is required, but its client is switched off.",
        "Switch it on",
    ),
}


@pytest.mark.parametrize("case", NAMES.values(), ids=NAMES)
def test_a_name_that_is_not_there_is_told(check, tmp_path, case):
    text, message, remedy = case
    code, lines = check(config(text))
    _, line = marked(config(text))
    assert code == 78
    said = [each for each in lines if message in each]
    assert len(said) == 1
    assert said[0].startswith(f"{tmp_path}/config/carrier.toml:{line}: ")
    assert remedy in said[0]


def test_a_rule_that_fits_everything_hides_those_behind_it(check):
    code, lines = check(
        config('[[policy.rules]]\nruling = "ask"\n[[policy.rules]]\nruling = "deny"\neffect = "spend"\n')
    )
    assert code == 0
    assert [line for line in lines if "never looked at" in line]


def test_an_action_that_a_plugin_may_offer_later_is_only_noted(check):
    code, lines = check(config(ACTIONS + '[policy]\nallow = ["files_read", "files_*"]\n'))
    assert code == 0
    assert [line for line in lines if "the action files_read" in line]
    assert not [line for line in lines if "files_*" in line]


FILES = {
    "YAML key": (
        "carrier.yaml",
        "agents:\n  bot:\n    charcter: bot #!\n",
        "There is no key `charcter`",
        "`character`",
    ),
    "YAML type": ("carrier.yaml", "agents:\n  bot:\nlimits:\n  rooms: many #!\n", "must be a whole number", "10000"),
    "YAML syntax": ("carrier.yaml", "agents:\n  bot: [\n#!", "This is not YAML", "Correct this line"),
    "YAML tab": ("carrier.yaml", "agents:\n\tbot: #!\n", "This is not YAML", "Correct this line"),
    "YAML key that is no text": (
        "carrier.yaml",
        "agents:\n  bot:\n  on: {} #!\n",
        "The key on is not text",
        'quotes: "on"',
    ),
    "JSON key": ("carrier.json", '{"agents": {"bot": {\n"kin#!d": "x"\n}}}', "There is no key `kin#!d`", "`kind`"),
    "JSON syntax": ("carrier.json", '{\n"agents": {"bot": {}},\n"x"\n} #!', "This is not JSON", "Correct this line"),
    "empty file": ("carrier.toml", "", "The file is empty.", "Write the settings into it."),
    "no table": ("carrier.json", "[1]", "The file holds no table", "Put sections with keys at its top."),
    "byte-order mark": ("carrier.toml", "\ufeff[agents.bot]\n", "byte-order mark", "without a byte-order mark"),
    "other format": ("carrier.ini", "x", "The format of carrier.ini is not known.", ".toml, .yaml, .yml or .json"),
}


@pytest.mark.parametrize("case", FILES.values(), ids=FILES)
def test_every_format_has_its_lines(tmp_path, capsys, case):
    name, text, message, remedy = case
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    line = next((nr for nr, each in enumerate(text.splitlines(), 1) if "#!" in each), 1)

    code = main(["check", "--config", str(path)])

    first = capsys.readouterr().out.splitlines()[0]
    assert code == 78
    assert first.startswith(f"{path}: " if name.endswith(".ini") else f"{path}:{line}: ")
    assert message in first
    assert remedy in first


def test_a_file_that_is_not_text_is_told_with_the_line(tmp_path, capsys):
    path = tmp_path / "carrier.toml"
    path.write_bytes(b"[agents.bot]\nkind = '\xff'\n")
    assert main(["check", "--config", str(path)]) == 78
    assert capsys.readouterr().out == f"{path}:2: The file is not UTF-8 text. Save it as UTF-8.\n"


def test_a_file_that_is_missing_or_a_folder_is_told(tmp_path, capsys):
    assert main(["check", "--config", str(tmp_path / "no.toml")]) == 78
    assert "no.toml, given by --config, does not exist. Correct the path" in capsys.readouterr().out
    assert main(["check", "--config", str(tmp_path)]) == 78
    assert f"is a folder. Name the file: {tmp_path}/carrier.toml." in capsys.readouterr().out


def test_without_any_configuration_it_says_where_it_looked(tmp_path, capsys):
    assert main(["check"]) == 78
    said = capsys.readouterr().out
    assert f"{tmp_path}/elsewhere/config/carrier.*" in said
    assert "/etc/carrier/carrier.*" in said
    assert main(["check", "--json"]) == 78
    assert [fault["remedy"][:4] for fault in json.loads(capsys.readouterr().out)] == ["Name"]


# --- what is outside the file -----------------------------------------------------------------------------------------


def test_a_misspelt_variable_is_told_with_the_nearest(check, monkeypatch):
    monkeypatch.setenv("CARRIER_LIMITS__ROOM", "5")
    code, lines = check(config(""))
    assert (code, lines) == (
        78,
        ["$CARRIER_LIMITS__ROOM sets no key that there is. Did you mean `CARRIER_LIMITS__ROOMS`?"],
    )


def test_a_variable_of_a_wrong_type_is_told(check, monkeypatch):
    monkeypatch.setenv("CARRIER_LIMITS__ROOMS", "many")
    code, lines = check(config(""))
    assert code == 78
    assert lines[0].startswith("$CARRIER_LIMITS__ROOMS: `rooms` in [limits] must be a whole number")


def test_a_variable_of_nobodys_section_is_told(check, monkeypatch):
    monkeypatch.setenv("CARRIER_PLUGIN__WEATHER__CITY", "Porto")
    code, lines = check(config(""))
    assert code == 78
    assert lines[0].startswith("$CARRIER_PLUGIN__WEATHER__CITY: [plugin.weather] belongs to no plugin")


@pytest.mark.parametrize(
    ("text", "line", "message", "remedy"),
    [
        ("A=1\nnonsense here\n", 2, "This line is not NAME=value.", "Correct it, or put # before it."),
        ("\n\nCARRIER_LOGG__LEVEL=info\n", 3, "$CARRIER_LOGG__LEVEL sets no key", "`CARRIER_LOG__LEVEL`"),
        ("CARRIER_LOG__LEVEL=loud\n", 1, "$CARRIER_LOG__LEVEL: `level` in [log] must be", "info"),
    ],
)
def test_a_fault_of_env_files_has_their_line(check, tmp_path, text, line, message, remedy):
    code, lines = check(config("") | {".env": text})
    assert code == 78
    assert lines[0].startswith(f"{tmp_path}/config/.env:{line}: ")
    assert message in lines[0]
    assert remedy in lines[0]


# --- characters ---------------------------------------------------------------------------------------------------------

CHARACTERS = {
    "syntax": ('name = "Bot\n#!', 1, "This is not TOML", "Correct this line"),
    "unknown key": ('name = "Bot"\nbioo = "x"\n', 2, "The key `bioo` is unknown.", "Did you mean `bio`?"),
    "wrong type": ('name = "Bot"\n\ntopics = 3\n', 3, "`topics` must be text or a list of texts", "Correct its value."),
    "no name": ('bio = "x"\n', 1, "The character has no `name`.", "Add `name`."),
    "template": (
        'name = "Bot"\n[templates]\nsystem_template = "{% if %}"\n',
        3,
        "Template system_template, line 1",
        "Correct",
    ),
    "template's name": (
        'name = "Bot"\n[templates]\nsystem_templat = "x"\n',
        3,
        "no template",
        "Did you mean system_template?",
    ),
    "empty": ("", 1, "The file is empty.", "Write"),
}


@pytest.mark.parametrize("case", CHARACTERS.values(), ids=CHARACTERS)
def test_a_fault_of_a_character_has_its_file_and_line(check, tmp_path, case):
    text, line, message, remedy = case
    code, lines = check({"carrier.toml": "", "characters/bot.toml": text})
    assert (code, len(lines)) == (78, 1)
    assert lines[0].startswith(f"{tmp_path}/config/characters/bot.toml:{line}: ")
    assert message in lines[0]
    assert remedy in lines[0]


# --- single-file plugins ----------------------------------------------------------------------------------------------

LOADING = {
    "syntax": ("def f(: #!\n", "line 3 of the file is not Python", "Correct that line"),
    "raises at import": ("x = 1\n1 / 0 #!\n", "it raised ZeroDivisionError: division by zero", "Correct the file, or put it into"),
    "raises in a function at import": ("def f():\n    raise ValueError('odd') #!\nf()\n", "ValueError: odd", "Correct the file"),
    "missing dependency": ("import nosuchmodule.part #!\n", "needs the module nosuchmodule, which is not", "pip install nosuchmodule"),
    "missing name": ("from carrier_core import Nonsense #!\n", "cannot import name 'Nonsense'", "Correct the file"),
    "exits at import": ("import sys\nsys.exit() #!\n", "it raised SystemExit", "Correct the file"),
    "unknown hook": ("@impl\nasync def provide_stat(turn): ... #!\n", "hook provide_stat: there is no such hook", "provide_state?"),
    "unheard-of hook": ("@impl\nasync def xyzzy(turn): ... #!\n", "hook xyzzy: there is no such hook", "See docs/hooks.md"),
    "argument": ("@impl\nasync def provide_state(trun): ... #!\n", "there is no argument trun", "Did you mean turn?"),
    "default": ("@impl\nasync def provide_state(turn=None): ... #!\n", "turn has a default", "Take the default away."),
    "variable arguments": ("@impl\nasync def provide_state(*args): ... #!\n", "*args is never passed", "It may take: turn."),
    "keywords": ("@impl\nasync def provide_state(turn, **more): ... #!\n", "**more is never passed", "It may take: turn."),
    "sync for async": ("@impl\ndef provide_state(turn): ... #!\n", "it is not async", "Write `async def provide_state`."),
    "async for sync": ("@impl\nasync def register_actions(): ... #!\n", "it is async", "Write `def register_actions`."),
    "generator": ("@impl\nasync def decide(turn): #!\n    yield\n", "it is a generator", "Return the answer"),
    "wrapper": (
        "import pluggy\n@pluggy.HookimplMarker('carrier')(wrapper=True)\ndef decide(turn): #!\n    yield\n",
        "pluggy's wrappers cannot await",
        "Implement around_step or around_turn instead.",
    ),
    "Settings of another sort": ("class Settings: #!\n    pass\n", "`Settings` is not a subclass", "Subclass it"),
    "Settings of a wrong section": (
        "class Settings(PluginSettings): #!\n    section = 'weather'\n",
        'Settings.section is "weather"',
        "Correct the file",
    ),
    "registration raises": ("@impl\ndef register_actions():\n    raise OSError('no disk') #!\n", "OSError: no disk", "Correct the file"),
    "abstract thing": (
        "class Wave(Action):\n    name = 'wave'\n@impl\ndef register_actions():\n    return Wave() #!\n",
        "Can't instantiate abstract class Wave",
        "Correct the file",
    ),
    "registers another sort": ("@impl\ndef register_actions(): #!\n    return 3\n", "returned int, expected Action", "Action."),
    "registers a class": (
        f"class Wave(Action):\n{WHOLE}{PERFORM}@impl\ndef register_actions(): #!\n    return Wave\n",
        "it returned the class Wave itself",
        "Return an instance: Wave().",
    ),
    "specification under a foreign name": (
        "from carrier_core import step, Verb\n@step(Verb.OBSERVE)\nasync def tide_turned(event): ... #!\n",
        "own specifies the hook tide_turned.",
        "Hooks of a plugin begin with its own name: own_tide_turned.",
    ),
    "specification that is not async": (
        "from carrier_core import step, Verb\n@step(Verb.OBSERVE)\ndef own_tide(event): ... #!\n",
        "a hook of this verb is async",
        "Write `async def own_tide`.",
    ),
    "specification of an unknown type": (
        "from carrier_core import step, Verb\n@step(Verb.FIRST)\nasync def own_tide(event) -> 'Nope': ... #!\n",
        "what it returns cannot be resolved (NameError",
        "Import the type where the module runs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LOADING.values(), ids=LOADING)
def test_a_fault_of_a_single_file_plugin_has_its_line(check, tmp_path, case):
    text, message, remedy = case
    files = one_file(text)
    code, lines = check(files)
    name, line = marked(files)
    assert (code, len(lines)) == (78, 1)
    assert lines[0].startswith(f"{tmp_path}/config/{name}:{line}: own")
    assert message in lines[0]
    assert remedy in lines[0]


THINGS = {
    "no name": (
        WHOLE.replace('    name = "wave"\n', "") + PERFORM,
        "the action has no name",
        "Set the class attribute `name`.",
    ),
    "no description": (
        WHOLE.replace('    description = "Waves."\n', "") + PERFORM,
        "wave has no description",
        "`description`",
    ),
    "no effect": (
        WHOLE.replace("    effect = Effect.READ\n", "") + PERFORM,
        "wave has no effect",
        "Set the attribute `effect`.",
    ),
    "effect of text": (WHOLE.replace("Effect.READ", "'read'") + PERFORM, "`effect` of wave is str", "Effect.READ"),
    "no schema": (WHOLE.replace('{"type": "object"}', "{}") + PERFORM, "is no JSON schema of type object", '"type"'),
    "clients of text": (WHOLE + "    clients = 'terminal'\n" + PERFORM, "`clients` of wave is str", "frozenset"),
}


@pytest.mark.parametrize("case", THINGS.values(), ids=THINGS)
def test_a_thing_that_lacks_what_it_needs_is_told_at_its_class(check, tmp_path, case):
    body, message, remedy = case
    code, lines = check(action(body))
    assert (code, len(lines)) == (78, 1)
    assert lines[0].startswith(f"{tmp_path}/config/plugins/own.py:3: own, register_actions: ")
    assert message in lines[0]
    assert remedy in lines[0]


METHODS = {
    "sync for async": (
        "    def perform(self, turn, call): ...\n",
        "Wave.perform is not async",
        "Write `async def perform`.",
    ),
    "other arguments": (
        "    async def perform(self, call): ...\n",
        "Wave.perform does not take",
        "Let it take: turn, call.",
    ),
}


@pytest.mark.parametrize("case", METHODS.values(), ids=METHODS)
def test_a_method_that_does_not_fit_is_told_at_its_line(check, tmp_path, case):
    method, message, remedy = case
    code, lines = check(action(WHOLE + method))
    assert (code, len(lines)) == (78, 1)
    assert lines[0].startswith(f"{tmp_path}/config/plugins/own.py:8: ")
    assert message in lines[0]
    assert remedy in lines[0]


def test_a_plugin_without_hooks_is_told(check, tmp_path):
    code, lines = check(one_file("x = 1\n"))
    assert code == 78
    assert lines == [
        f"{tmp_path}/config/plugins/own.py:1: own implements no hook. "
        "Mark a function that is named like a hook with @impl from carrier_core."
    ]


DEAR = """\
class Dear(Provider):
    name = "dear"
    models = {"large": "l"}
    async def generate(self, prompt, model, emit):
        raise NotImplementedError

@impl
def register_providers():
    return Dear()
"""


@pytest.mark.parametrize(
    ("budget", "price", "lines"),
    [
        ("usd = 1", "", ["5: Nobody knows what dear/x costs, and a budget in dollars bounds it."]),
        ("usd = 1", '[models."dear/x"]\ninput = 1\noutput = 2\n', []),
        ('usd = 1\nagents = ["jay"]', "", []),
        ("tokens = 1", "", []),
    ],
)
def test_a_budget_in_dollars_that_would_refuse_a_model_without_a_price_is_told(check, tmp_path, budget, price, lines):
    jay = '[agents.jay]\ncharacter = "bot"\nmodels.large = "scripted"\n'
    text = jay + '[agents.bot.models]\nlarge = ["scripted", "dear/x"]\n'
    code, said = check(one_file(DEAR) | config(f"{text}{price}[[budgets]]\n{budget}\n"))
    assert code == (78 if lines else 0)
    assert [each for each in said if "Nobody knows" in each] == [
        f"{tmp_path}/config/carrier.toml:{line} Say it in the configuration: "
        '[models."dear/x"] with `input` and `output`.'
        for line in lines
    ]


def test_agents_that_want_several_embedders_are_told(check, tmp_path):
    embedders = """\
class One(Embedder):
    name = "one"
    dimension = 2
    async def embed(self, texts):
        raise NotImplementedError

class Two(One):
    name = "two"

@impl
def register_embedders():
    return One(), Two()
"""
    text = '[agents.bot.models]\nembedding = "one"\n[agents.jay]\ncharacter = "bot"\nmodels.embedding = "two" #!\n'
    code, lines = check(one_file(embedders) | config(text))
    assert code == 78
    assert lines[0].startswith(
        f"{tmp_path}/config/carrier.toml:5: jay wants the embedder two, another agent another one."
    )


def test_an_embedder_is_a_service_with_limits_and_prices_too(check):
    embedder = """\
class Meaning(Embedder):
    name = "service/meaning"
    dimension = 2
    async def embed(self, texts):
        raise NotImplementedError

@impl
def register_embedders():
    return Meaning()
"""
    text = '[limits.providers.service]\nat_once = 1\n[models."service/meaning"]\ninput = 1\noutput = 0\n'
    assert check(one_file(embedder) | config(text))[0] == 0


def test_two_things_of_one_name_name_both_plugins(check, tmp_path):
    files = action(WHOLE + PERFORM)
    files["plugins/second.py"] = files["plugins/own.py"]
    code, lines = check(files)
    assert (code, len(lines)) == (78, 1)
    assert lines[0].startswith(f"{tmp_path}/config/plugins/second.py:3: second, ")
    assert "the action wave is there already, from own." in lines[0]
    assert "Disable one of the two" in lines[0]


def test_another_store_goes_before_one_that_is_a_last_resort(check):
    code, lines = check(
        one_file(
            "from carrier_memory_sqlite.settings import Settings as Foreign\n"
            "from carrier_memory_sqlite.store import SqliteStore\n"
            "class Other(SqliteStore):\n    name, last_resort = 'other', False\n"
            "@impl\ndef register_stores():\n    return Other(Foreign())\n"
        )
    )
    assert code == 0, lines


def test_several_stores_want_a_choice(check, tmp_path):
    files = one_file(
        "from carrier_memory_sqlite.settings import Settings as Foreign\nfrom carrier_memory_sqlite.store import SqliteStore\n"
        "class Other(SqliteStore):\n    name, last_resort = 'other', False\nclass Third(Other):\n    name = 'third'\n"
        "@impl\ndef register_stores():\n    return Other(Foreign()), Third(Foreign())\n"
    )
    code, lines = check(files)
    assert (code, len(lines)) == (78, 1)
    assert "There are several stores: other, sqlite, third. Name one as `store` in [memory]." in lines[0]


def test_a_file_with_the_name_of_an_installed_plugin_is_told(check, tmp_path):
    code, lines = check({"carrier.toml": "", "plugins/carrier-memory-sqlite.py": "1 / 0\n"})
    assert (code, len(lines)) == (78, 1)
    path = f"{tmp_path}/config/plugins/carrier-memory-sqlite.py"
    assert lines[0] == (
        f"{path}:1: Two plugins are called carrier-memory-sqlite: carrier-memory-sqlite and {path}. Rename the file."
    )


@pytest.mark.parametrize("name", ["carrier.py", "my plugin.py"])
def test_a_file_that_the_configuration_could_not_name_is_told(check, tmp_path, name):
    code, lines = check({"carrier.toml": "", f"plugins/{name}": "1 / 0\n"})
    assert (code, len(lines)) == (78, 1)
    assert lines[0].startswith(
        f"{tmp_path}/config/plugins/{name}:1: A plugin cannot be called '{name[:-3]}'. Rename the file"
    )


# --- settings and secrets of plugins ------------------------------------------------------------------------------------

SETTINGS = (
    "from pydantic import SecretStr\n"
    "class Settings(PluginSettings):\n    city: str\n    days: int = 3\n    token: SecretStr | None = secret('OWN_TOKEN')\n"
    "@impl\nasync def decide(turn): ...\n"
)
SECTIONS = {
    "missing key": ("[plugin.own] #!\n", "The key `city` is missing in [plugin.own].", "Add it."),
    "unknown key": (
        "[plugin.own]\ncity = 'x'\ndayz = 3 #!\n",
        "There is no key `dayz` in [plugin.own].",
        "Did you mean `days`?",
    ),
    "wrong type": ("[plugin.own]\ncity = 'x'\ndays = 'three' #!\n", "must be a whole number", "the default is 3"),
    "secret of a wrong type": ("[plugin.own]\ncity = 'x'\ntoken = 31415926 #!\n", "must be text", "Correct it."),
}


@pytest.mark.parametrize("case", SECTIONS.values(), ids=SECTIONS)
def test_a_fault_of_a_plugins_section_is_told_in_the_configuration(check, tmp_path, case):
    text, message, remedy = case
    code, lines = check(one_file(SETTINGS) | config(text))
    assert (code, len(lines)) == (78, 1)
    assert lines[0].startswith(f"{tmp_path}/config/carrier.toml:{marked(config(text))[1]}: ")
    assert message in lines[0]
    assert remedy in lines[0]
    assert "31415926" not in lines[0]


def test_all_faults_of_a_plugins_section_are_told(check):
    _, lines = check(one_file(SETTINGS) | config("[plugin.own]\ndays = 'x'\nyears = 1\n"))
    assert [line.split(": ")[1][:20] for line in lines] == [
        "The key `city` is mi",
        "`days` in [plugin.ow",
        "There is no key `yea",
    ]


def test_the_section_of_a_plugin_without_settings_is_told(check, tmp_path):
    files = one_file("@impl\nasync def decide(turn): ...\n")
    code, lines = check(files | config("[plugin.own]\ncity = 'x'\n"))
    assert code == 78
    assert lines == [f"{tmp_path}/config/carrier.toml:2: The plugin of [plugin.own] has no settings. Remove it."]


def test_the_section_of_a_plugin_that_is_off_is_left_alone(check):
    text = "[plugin.own]\nnonsense = 1\n[plugins]\ndisabled = ['own']\nenabled = ['carrier-memory-sqlite','carrier-provider-scripted']\n"
    assert check(one_file("1 / 0\n") | config(text))[0] == 0


@pytest.mark.parametrize(
    ("settings", "claim"),
    [
        ("    section = 'plugin.shared'\n", "the section [plugin.shared]"),
        ("    key: SecretStr | None = secret('SHARED_KEY')\n", "$SHARED_KEY"),
    ],
)
def test_two_plugins_that_claim_one_section_or_secret_are_told(check, settings, claim):
    text = f"from pydantic import SecretStr\nclass Settings(PluginSettings):\n{settings}@impl\nasync def decide(turn): ...\n"
    files = one_file(text) | one_file(text, "second.py")
    code, lines = check(files)
    assert (code, len(lines)) == (78, 1)
    assert f"The plugins own and second both claim {claim}. Put one of them into `disabled` of [plugins]." in lines[0]


# --- installed plugins ----------------------------------------------------------------------------------------------------


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Makes an installed distribution with entry points and modules."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    modules: list[str] = []

    def install(name, points, files, requires=""):
        info = site / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        needs = f"Requires-Dist: {requires}\n" if requires else ""
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}")
        (info / "entry_points.txt").write_text(
            "[carrier]\n" + "".join(f"{key} = {value}\n" for key, value in points.items())
        )
        for module, text in files.items():
            (site / f"{module}.py").write_text(text)
            modules.append(module)
        return site

    yield install
    for module in modules:
        sys.modules.pop(module, None)


def enabling(*names):
    listed = "".join(f'"{name}",{" #!" if at == 0 else ""}\n' for at, name in enumerate(names))
    return config(f'[plugins]\nenabled = [\n"carrier-memory-sqlite",\n"carrier-provider-scripted",\n{listed}]\n')


HOOK = "from carrier_core import impl\n@impl\nasync def decide(turn): ...\n"
INSTALLED = {
    "missing module": ({}, "its entry point names tide_plugin, and there is no module tide_plugin", "Reinstall tide"),
    "raises at import": (
        {"tide_plugin": "x = 1\n1 / 0\n"},
        "ZeroDivisionError: division by zero (SITE/tide_plugin.py, line 2)",
        "author",
    ),
    "missing dependency": (
        {"tide_plugin": "import nosuchmodule\n"},
        "needs the module nosuchmodule",
        "pip install nosuchmodule",
    ),
    "syntax": ({"tide_plugin": "def f(:\n"}, "line 1 of SITE/tide_plugin.py is not Python", "Correct that line"),
    "no hook": ({"tide_plugin": ""}, "tide implements no hook", "@impl"),
    "argument": (
        {"tide_plugin": "from carrier_core import impl\n@impl\nasync def decide(trun): ...\n"},
        "tide, hook decide: there is no argument trun (SITE/tide_plugin.py, line 3).",
        "Did you mean turn?",
    ),
}


@pytest.mark.parametrize("case", INSTALLED.values(), ids=INSTALLED)
def test_a_fault_of_an_installed_plugin_is_told_where_it_is_enabled(check, install, tmp_path, case):
    modules, message, remedy = case
    site = install("tide", {"tide": "tide_plugin"}, modules)
    files = enabling("tide")
    code, lines = check(files)
    assert (code, len(lines)) == (78, 1)
    assert lines[0].startswith(f"{tmp_path}/config/carrier.toml:{marked(files)[1]}: tide")
    assert message.replace("SITE", str(site)) in lines[0]
    assert remedy in lines[0]


def test_an_entry_point_to_a_missing_attribute_is_told(check, install):
    install("tide", {"tide": "tide_plugin:plugin"}, {"tide_plugin": HOOK})
    code, lines = check(enabling("tide"))
    assert (code, len(lines)) == (78, 1)
    assert "its entry point names tide_plugin:plugin, and tide_plugin has no plugin. Reinstall tide" in lines[0]


def test_an_entry_point_to_a_class_is_told(check, install):
    text = "from carrier_core import impl\nclass Tide:\n    @impl\n    async def decide(self, turn): ...\n"
    install("tide", {"tide": "tide_plugin:Tide"}, {"tide_plugin": text})
    code, lines = check(enabling("tide"))
    assert (code, len(lines)) == (78, 1)
    assert "tide is the class Tide" in lines[0]
    assert "Let the entry point name an instance." in lines[0]


@pytest.mark.parametrize("requires", ["carrier-core>=9", "carrier_core (>=9,<10)", "Carrier.Core==0.0.1"])
def test_a_plugin_for_another_version_is_refused_before_it_is_imported(check, install, requires):
    install("tide", {"tide": "tide_plugin"}, {"tide_plugin": HOOK}, requires)
    code, lines = check(enabling("tide"))
    assert (code, len(lines)) == (78, 1)
    assert "tide 1.0 needs carrier-core" in lines[0]
    assert "Upgrade whichever is older: pip install --upgrade tide carrier-core." in lines[0]
    assert "tide_plugin" not in sys.modules


@pytest.mark.parametrize(
    "requires", ["carrier-core>=0.1,<9", "carrier-core-extras>=9", 'carrier-core>=9; extra == "new"']
)
def test_a_requirement_that_is_met_or_of_something_else_is_no_fault(check, install, requires):
    install("tide", {"tide": "tide_plugin"}, {"tide_plugin": HOOK}, requires)
    assert check(enabling("tide"))[0] == 0


def test_two_distributions_that_bring_one_name_are_told(check, install):
    install("tide", {"tide": "tide_plugin"}, {"tide_plugin": HOOK})
    install("other", {"tide": "other_plugin"}, {"other_plugin": HOOK})
    code, lines = check(enabling("tide"))
    assert (code, len(lines)) == (78, 1)
    assert "Two plugins are called tide: " in lines[0]
    assert "Uninstall one of the two." in lines[0]


def test_two_names_of_one_module_are_told(check, install):
    install("tide", {"tide": "tide_plugin", "ebb": "tide_plugin"}, {"tide_plugin": HOOK})
    code, lines = check(enabling("tide", "ebb"))
    assert (code, len(lines)) == (78, 1)
    assert "ebb is the same module as tide. Disable one of the two plugins" in lines[0]


def test_what_is_not_enabled_is_never_imported(check, install):
    install("tide", {"tide": "tide_plugin"}, {"tide_plugin": "1 / 0\n"})
    assert check(config(""))[0] == 0
    assert "tide_plugin" not in sys.modules


def test_the_hook_of_a_plugin_that_is_off_says_so(check, install):
    text = "from carrier_core import step, Verb\n@step(Verb.OBSERVE)\nasync def tide_turned(event): ...\n" + HOOK
    install("tide", {"tide": "tide_plugin"}, {"tide_plugin": text})
    files = one_file("@impl\nasync def tide_turned(event): ...\n")
    assert check(files | enabling("tide"))[0] == 0
    code, lines = check(files)
    assert code == 78
    assert "hook tide_turned: there is no such hook. Enable tide, whose hook it may be." in lines[0]


# --- several at once, and how it is told --------------------------------------------------------------------------------------


def test_several_faults_are_all_listed_the_main_file_first_by_line(check, tmp_path):
    files = {
        "carrier.toml": '[agents.bot]\nkind = "chatty"\n[policy]\nguards = ["fly:decide"]\n',
        "characters/bot.toml": 'name = "Bot"\nbioo = 1\n',
        "plugins/own.py": "1 / 0\n",
        "plugins/zoo.py": "import nosuchmodule\n",
    }
    code, lines = check(files)
    assert code == 78
    assert [line.removeprefix(f"{tmp_path}/config/").split(": ")[0] for line in lines] == [
        "carrier.toml:2", "carrier.toml:4", "characters/bot.toml:2", "plugins/own.py:1", "plugins/zoo.py:1",
    ]  # fmt: skip


def test_a_name_that_a_failed_plugin_may_bring_is_told_as_such(check):
    files = one_file("1 / 0\n") | config('[agents.bot]\nclients = ["irc"]\n')
    _, lines = check(files)
    assert "There is no client irc. There are: none. It may be what own brings, which cannot be loaded." in lines[0]


def test_json_holds_the_same_faults(check, tmp_path):
    code, lines = check(config("[limits]\nroom = 1\nstop_seconds = 0\n"), "--json")
    assert code == 78
    assert json.loads(lines[0]) == [
        {
            "file": f"{tmp_path}/config/carrier.toml",
            "line": line,
            "message": message,
            "remedy": remedy,
        }
        for line, message, remedy in (
            (2, "There is no key `room` in [limits].", "Did you mean `rooms`?"),
            (
                3,
                "`stop_seconds` in [limits] must be more than 0, not 0.",
                "Correct it, or leave it out: the default is 10.0.",
            ),
        )
    ]


def test_what_a_plugin_raises_cannot_control_the_terminal(check):
    _, lines = check(one_file("raise ValueError('\\x1b[2Jgone\\nnext')\n"))
    assert len(lines) == 1
    assert "\\x1b[2Jgone⏎next" in lines[0]


CARRIERD = [sys.executable, "-c", "import sys; from carrier_core.cli import main; sys.exit(main())"]


@pytest.mark.parametrize(
    "files",
    [
        config("[limits]\nroom = 1 #!\n"),
        config('[plugins]\nenabled = ["carrier-memory-sqlit"] #!\n'),
        {"carrier.toml": "", "characters/bot.toml": 'name = "Bot"\nbioo = 1 #!\n'},
        one_file("import nosuchmodule #!\n"),
    ],
    ids=["configuration", "plugins", "character", "single file"],
)
def test_as_a_command_it_exits_78_with_the_place_and_no_traceback(write, tmp_path, files):
    folder = write(files)
    done = subprocess.run(
        [*CARRIERD, "check", "--config", str(folder / "carrier.toml")], capture_output=True, text=True, check=False
    )
    name, line = marked(files)
    assert done.returncode == 78
    assert f"{folder / name}:{line}: " in done.stdout
    assert done.stderr == ""
