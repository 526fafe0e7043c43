"""Templates: what they render, what they may not do, and what is said of one that fails."""

import subprocess
import sys
from pathlib import Path

import pytest

from carrier_core.character import Character, Example, Style
from carrier_core.eliza import eliza_values
from carrier_core.errors import CarrierError, ConfigError
from carrier_core.templates import MAX_OUTPUT, SYSTEM_TEMPLATE, Rendered, check_template, render, template_key


def test_values_are_filled_in_and_unknown_names_are_nothing_but_reported() -> None:
    rendered = render(
        "{{ name }}|{{nope}}|{{ deep.er.still }}|{{ who.text }}|{{ who.mood }}",
        {"name": "Bo", "who": Rendered("hi")},
    )
    assert rendered == Rendered("Bo|||hi|", ("deep", "nope", "who.mood"))


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{% for x in xs %}{{ loop.index }}{{ x }}{% endfor %}", "1a2b"),
        ("{{ xs|join('; ') }} {{ xs }}", "a; b a, b"),
        ("{{ none }}{{ nothing }}", ""),
        ("{% set y = xs|first %}{{ y ~ '!' }}{{ y|upper }}", "a!A"),
        ("{% if not zzz %}no{% else %}yes{% endif %}", "no"),
        ("{{ 'x' if xs|length > 1 }}{{ 2 * 3 + 1 }}", "x7"),
        ("{{ text.upper() }}{{ text|replace('b', 'd') }}", "Bd"),
        ("{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{{ d|tojson }}", 'q=<1>;{"q":"<1>"}'),
        ("{% for n in range(3) %}{{ n }}{% endfor %}", "012"),
        ("{{ 'one\ntwo'|indent(2) }}", "one\n  two"),
        ("{% if 'a' in ('a', 'b') %}in{% endif %}{{ [1, 2]|length }}", "in2"),
        ("line\n{% if xs %}\nkept\n{% endif %}\nend", "line\nkept\nend"),
    ],
)
def test_what_a_prompt_needs_of_jinja_works(template: str, text: str) -> None:
    values = {"xs": ["a", "b"], "text": "b", "d": {"q": "<1>"}, "nothing": None}
    assert render(template, values).text == text


def test_a_value_is_never_taken_for_a_template() -> None:
    assert render("{{ said }}", {"said": "{{ 7 * 7 }}{% raw %}"}).text == "{{ 7 * 7 }}{% raw %}"


def test_names_of_templates_have_one_spelling() -> None:
    assert template_key("messageHandlerTemplate") == template_key("message_handler_template")
    assert template_key("shouldRespondTemplate") == "should_respond_template"


class Host:
    """Something a caller should not hand to a template, and may by mistake."""

    token = "hush"

    def get(self) -> str:
        return self.token

    def close(self) -> str:
        raise AssertionError("a template has called into the program")


@pytest.mark.parametrize(
    "template",
    [
        "{{ ().__class__.__mro__ }}",
        "{{ ''['__class__'] }}",
        "{{ ''|attr('__class__') }}",
        "{{ who.__init__.__globals__ }}",
        "{{ name.format.__globals__ }}",
        "{{ '{0.__class__}'.format(name) }}",
        "{{ [name]|map(attribute='__class__')|list }}",
        "{{ [name]|join(',', attribute='__class__') }}",
        "{{ host.get() }}",
        "{{ host.close() }}",
        "{{ call() }}",
        "{{ self.__init__ }}",
        "{{ range.__call__ }}",
        "{{ xs.append(1) }}",
        "{% for x in xs %}{{ loop.__class__ }}{% endfor %}",
        "{% include 'carrier.toml' %}",
        "{% import 'os' as os %}{{ os }}",
        "{% extends 'x' %}",
    ],
)
def test_a_template_cannot_reach_into_the_program(template: str) -> None:
    values = {"name": "Bo", "who": Rendered("x"), "host": Host(), "call": Host().close, "xs": [1]}
    with pytest.raises(CarrierError) as caught:
        render(template, values, "post_template")
    assert caught.value.message.startswith("Template post_template, line 1: ")
    assert "hush" not in str(caught.value)
    assert values["xs"] == [1]


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "{% for a in range(100000000) %}{% endfor %}",
        "{% for a in range(9999) %}{{ big }}{% endfor %}",
        "{{ 'a' * 1000000000 }}",
        "{{ [1] * 1000000000 }}",
        "{{ 9 ** 9 ** 9 ** 9 }}",
        "{% set n = 999999999 %}" + "{% set n = n * n %}" * 40,
        "{% set a = 'ab' %}" + "{% set a = a ~ a %}" * 60,
        "{% set a = 'ab' %}" + "{% set a = a + a %}" * 60,
        "{% set a = [1] %}" + "{% set a = [a, a] %}" * 60 + "{{ a }}",
        "{% set a = {'k': 1} %}" + "{% set a = {'k': a, 'l': a} %}" * 60 + "{{ a|tojson }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%1000000000d'|format(1) }}",
        "{{ '{:1000000000d}'.format(1) }}",
        "{{ 'x'.ljust(1000000000) }}",
        "{{ 'x'|center(1000000000) }}",
        "{{ range(9999)|join(big) }}",
        "{{ big|replace('x', big) }}",
        "{{ range(9999)|map('replace', '', big)|list }}",
        "{{ 1|round(-1000000000) }}",
        "{{ '" + "x" * 20_000 + "'|replace('x', '" + "y" * 20_000 + "') }}",
        "{{ " + "1 + " * 400 + "1 }}",
        "{{#if big}}" * 9_000,
        " " * 100_001,
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{% block b %}{{ self.b() }}{{ self.b() }}{% endblock %}",
        "{% for a in [[1]] recursive %}{{ loop([a]) }}{{ loop([a]) }}{% endfor %}",
        "{% set a %}{{ big }}{% endset %}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{% for a in big %}" * 30 + "{% endfor %}" * 30,
    ],
)
def test_a_template_that_would_loop_or_grow_without_end_is_stopped(template: str) -> None:
    with pytest.raises(CarrierError) as caught:
        render(template, {"big": "x" * 100_000}, "post_template")
    assert caught.value.message.startswith("Template post_template")
    assert caught.value.remedy


def test_long_values_are_fine_up_to_the_limit() -> None:
    assert len(render("{{ a }}", {"a": "x" * MAX_OUTPUT}).text) == MAX_OUTPUT
    with pytest.raises(CarrierError, match="longer than 1,000,000 characters"):
        render("{{ a }}", {"a": "x" * (MAX_OUTPUT + 1)})


@pytest.mark.parametrize(
    ("template", "line", "reason"),
    [
        ("one\ntwo {{ ", 2, "unexpected"),
        ("one\n{% if x %}\nthree", 2, "if"),
        ("one\n\n{{ x|nosuch }}", 3, "nosuch"),
        ("one\n{% nosuch %}", 2, "nosuch"),
    ],
)
def test_a_template_that_cannot_be_read_is_refused_when_it_is_checked(template: str, line: int, reason: str) -> None:
    for attempt in (
        lambda: check_template(template, "t_template"),
        lambda: render(template, {}, "t_template"),
    ):
        with pytest.raises(ConfigError) as caught:
            attempt()
        assert caught.value.message.startswith("Template t_template, line ")
        assert reason in caught.value.message
        assert caught.value.remedy
    if reason != "if":  # Jinja names the end of the file for a block that is never closed
        assert f"line {line}:" in caught.value.message


@pytest.mark.parametrize(
    ("template", "line", "reason"),
    [
        ("a\n\n{{ 1 / 0 }}", 3, "division by zero"),
        ("a\n{{ nope() }}", 2, "'nope' is undefined"),
        ("a\n{% for x in 5 %}{% endfor %}", 2, "has no items"),
        ("{% if a %}\n\n{{ 'a' + 1 }}\n{% endif %}", 3, "TypeError"),
    ],
)
def test_a_template_that_fails_while_it_renders_names_its_line(template: str, line: int, reason: str) -> None:
    with pytest.raises(CarrierError) as caught:
        render(template, {"a": 1}, "t_template")
    assert caught.value.message.startswith(f"Template t_template, line {line}: ")
    assert reason in caught.value.message
    assert "the standard text stands in" in caught.value.remedy


def test_a_failed_rendering_leaves_nothing_behind() -> None:
    template = "{% for n in range(count) %}{% for m in range(count) %}{% endfor %}{% endfor %}done"
    with pytest.raises(CarrierError):
        render(template, {"count": 1000})
    assert render(template, {"count": 10}).text == "done"


def test_the_standard_system_text_leaves_out_what_a_character_has_not() -> None:
    bare = render(SYSTEM_TEMPLATE, eliza_values(Character(name="Bo").view("r")), "system_template")
    assert "#" not in bare.text
    assert bare.missing == ()
    whole = Character(
        name="Bo",
        system="Stay calm.",
        bio=("Rows.",),
        lore=("Fell in once.",),
        topics=("oars", "ropes"),
        adjectives=("wet",),
        style=Style(all=("Short.",), chat=("Kind.",), post=("Loud.",)),
        message_examples=((Example("{{user1}}", "Hi"), Example("Bo", "Ahoy")),),
    )
    view = whole.view("r")
    text = render(SYSTEM_TEMPLATE, eliza_values(view), "system_template").text
    assert text.splitlines()[:2] == ["You are Bo: wet.", "Stay calm."]
    for said in (
        "- Rows.",
        "- Fell in once.",
        "oars, ropes",
        "- Short.\n- Kind.",
        f"{view.people[0]}: Hi\nBo: Ahoy",
    ):
        assert said in text
    assert "Loud." not in text
    assert "\n\n\n" not in text


def test_a_character_without_templates_of_its_own_costs_no_import_of_jinja() -> None:
    program = (
        "import sys; from pathlib import Path; from carrier_core.characterfile import load_character;"
        "load_character(Path('config/characters/tifa.toml')); print('jinja2' in sys.modules)"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
