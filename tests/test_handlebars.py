"""Handlebars: what ElizaOS's templates use of it works; of the rest, template and line are named."""

import pytest

from carrier_core.errors import ConfigError
from carrier_core.handlebars import from_handlebars, is_handlebars
from carrier_core.templates import render

HANDLEBARS = [
    ("{{{name}}} & {{{ name }}}", "<Bo> & <Bo>"),
    ("{{#if name}}yes{{else}}no{{/if}}{{#if nobody}}yes{{else}}no{{/if}}", "yesno"),
    ("{{#if nobody}}a{{else if name}}b{{else}}c{{/if}}", "b"),
    ("{{#if empty}}a{{else}}b{{/if}}{{#unless empty}}c{{/unless}}", "bc"),
    ("{{#each crew}}\n- {{this}}\n{{/each}}\nend", "- Al\n- Cy\nend"),
    ("{{#each crew}}{{@index}}{{this}}{{#if @last}}.{{else}}, {{/if}}{{/each}}", "0Al, 1Cy."),
    ("{{#each boats}}{{name}}: {{#each crew}}{{this}} of {{../name}} and {{@root.name}};{{/each}}{{/each}}", "Ark: Ed of Ark and <Bo>;"),
    ("{{#each boats}}{{../name}}{{this.name}}{{/each}}", "<Bo>Ark"),
    ("{{#each ages}}{{@key}}={{this}} {{/each}}", "al=3 cy=4 "),
    ("{{#each empty}}x{{else}}nobody with {{name}}{{/each}}{{#each nobody}}x{{/each}}", "nobody with <Bo>"),
    ("a{{! note }}b{{!-- {{name}} --}}c", "abc"),
    ("a {{~#if name~}} b {{~/if~}} c {{~name}}", "abc<Bo>"),
    ("{{&name}}{{{nobody}}}", "<Bo>"),
]  # fmt: skip


@pytest.mark.parametrize(("template", "text"), HANDLEBARS)
def test_handlebars_works_as_in_elizaos(template: str, text: str) -> None:
    values = {
        "name": "<Bo>",
        "crew": ["Al", "Cy"],
        "boats": [{"name": "Ark", "crew": ["Ed"]}],
        "ages": {"al": 3, "cy": 4},
        "empty": [],
    }
    assert is_handlebars(template)
    assert render(template, values).text == text


@pytest.mark.parametrize(
    ("template", "line", "named"),
    [
        ("a\n{{#with x}}{{/with}}", 2, "{{#with x}}"),
        ("\n\n{{> footer}}", 3, "{{> footer}}"),
        ("{{#if (eq a b)}}{{/if}}", 1, "(eq a b)"),
        ("a\n{{#each xs as |x|}}{{/each}}", 2, "xs as |x|"),
        ("a\n{{#if x}}\nb", 2, "`{{#if}}` is never closed"),
        ("a\n{{#if x}}{{/each}}", 2, "`{{/each}}` closes what is not open"),
        ("{{/if}}", 1, "`{{/if}}` closes what is not open"),
        ("a {{else}}", 1, "stands outside"),
        ("{{#each xs}}{{else if y}}{{/each}}", 1, "{{else if y}}"),
    ],
)
def test_what_is_not_understood_of_handlebars_names_template_and_line(template: str, line: int, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_handlebars(template, "post_template")
    assert caught.value.message.startswith(f"Template post_template, line {line}: ")
    assert named in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("template", ["{{ name }}", "{% if name %}x{% endif %}", "{# note #}", "{{ {'a': 1}['a'] }}"])
def test_jinja_is_not_taken_for_handlebars(template: str) -> None:
    assert not is_handlebars(template)
