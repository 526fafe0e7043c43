"""Fitting: an estimate that errs high, and a prompt that fits, with what matters most still in it."""

import random
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrier_core.errors import CarrierError, ProviderError
from carrier_core.fitting import (
    CALL,
    DOCUMENT,
    IMAGE,
    LEAST,
    PICTURE,
    TOOLS,
    ceiling,
    ceiling_of_text,
    estimate,
    estimate_text,
    fit,
)
from carrier_core.messages import Attachment, Part, make_id
from carrier_core.prompts import ActionCall, Carry, Prompt, PromptMessage, Tool
from carrier_core.provenance import OPERATOR, Provenance, person

ANA = Provenance((person("ana"),))
HERS = Provenance((OPERATOR,))

# --- how many tokens -----------------------------------------------------------------------------------------------------

# "Hello GPT-4o", OpenAI, 13 May 2024, "Language tokenization": tokens with the vocabularies of 2023 and of 2024.
PUBLISHED = [
    ("Telugu", 159, 45, "నమస్కారము, నా పేరు జీపీటీ-4o. నేను ఒక్క కొత్త రకమైన భాషా మోడల్ ని. మిమ్మల్ని కలిసినందుకు సంతోషం!"),
    ("Tamil", 116, 35, "வணக்கம், என் பெயர் ஜிபிடி-4o. நான் ஒரு புதிய வகை மொழி மாடல். உங்களை சந்தித்ததில் மகிழ்ச்சி!"),
    ("Marathi", 96, 33, "नमस्कार, माझे नाव जीपीटी-4o आहे. मी एक नवीन प्रकारची भाषा मॉडेल आहे. तुम्हाला भेटून आनंद झाला!"),
    ("Hindi", 90, 31, "नमस्ते, मेरा नाम जीपीटी-4o है। मैं एक नए प्रकार का भाषा मॉडल हूँ। आपसे मिलकर अच्छा लगा!"),
    ("Urdu", 82, 33, "ہیلو، میرا نام جی پی ٹی-4o ہے۔ میں ایک نئے قسم کا زبان ماڈل ہوں، آپ سے مل کر اچھا لگا!"),
    ("Arabic", 53, 26, "مرحبًا، اسمي جي بي تي-4o. أنا نوع جديد من نموذج اللغة، سررت بلقائك!"),
    ("Persian", 61, 32, "سلام، اسم من جی پی تی-۴او است. من یک نوع جدیدی از مدل زبانی هستم، از ملاقات شما خوشبختم!"),
    ("Russian", 39, 23, "Привет, меня зовут GPT-4o. Я — новая языковая модель, приятно познакомиться!"),
    ("Korean", 45, 27, "안녕하세요, 제 이름은 GPT-4o입니다. 저는 새로운 유형의 언어 모델입니다, 만나서 반갑습니다!"),
    ("Vietnamese", 46, 30, "Xin chào, tên tôi là GPT-4o. Tôi là một loại mô hình ngôn ngữ mới, rất vui được gặp bạn!"),
    ("Chinese", 34, 24, "你好，我的名字是GPT-4o。我是一种新型的语言模型，很高兴见到你!"),
    ("Japanese", 37, 26, "こんにちわ、私の名前はGPT−４oです。私は新しいタイプの言語モデルです、初めまして"),
    ("Turkish", 39, 30, "Merhaba, benim adım GPT-4o. Ben yeni bir dil modeli türüyüm, tanıştığımıza memnun oldum!"),
    ("Italian", 34, 28, "Ciao, mi chiamo GPT-4o. Sono un nuovo tipo di modello linguistico, è un piacere conoscerti!"),
    (
        "German",
        34,
        29,
        "Hallo, mein Name is GPT-4o. Ich bin ein neues KI-Sprachmodell. Es ist schön, dich kennenzulernen.",
    ),
    ("Spanish", 29, 26, "Hola, me llamo GPT-4o. Soy un nuevo tipo de modelo de lenguaje, ¡es un placer conocerte!"),
    ("Portuguese", 30, 27, "Olá, meu nome é GPT-4o. Sou um novo tipo de modelo de linguagem, é um prazer conhecê-lo!"),
    (
        "French",
        31,
        28,
        "Bonjour, je m'appelle GPT-4o. Je suis un nouveau type de modèle de langage, c'est un plaisir de vous rencontrer!",
    ),
    ("English", 27, 24, "Hello, my name is GPT-4o. I'm a new type of language model, it's nice to meet you!"),
]
TOO_LOW = {"Telugu": 0.7, "Tamil": 0.9, "Urdu": 0.8}
"""Of the count of 2023, where the estimate is known to be too low for that vocabulary."""


@pytest.mark.parametrize(("old", "new", "text", "least"), [(o, n, t, TOO_LOW.get(w, 1.0)) for w, o, n, t in PUBLISHED])
def test_the_estimate_errs_high_in_every_language_whose_counts_are_published(old, new, text, least):
    assert 1.3 * new <= estimate_text(text) <= 3.4 * new
    assert estimate_text(text) >= least * old


def test_the_estimate_errs_high_for_the_prompts_whose_counts_are_published():
    """Those of the documentation of Anthropic's token counting, with tokens as they are told there."""
    hello = Prompt((said("You are a scientist", "system"), said("Hello, Claude")))
    weather = Tool(
        "get_weather",
        "Get the current weather in a given location",
        {
            "type": "object",
            "properties": {"location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"}},
            "required": ["location"],
        },
    )
    asking = Prompt((said("What's the weather like in San Francisco?"),), (weather,))
    assert 14 <= estimate(hello) <= 28
    assert 403 <= estimate(asking) <= 600


PROSE = "The library opens at nine, and whoever brings a book back late is asked to bring a cake as well. " * 10


def test_english_has_under_three_characters_a_token():
    assert 2.5 <= len(PROSE) / estimate_text(PROSE) <= 3.0


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("你好世界" * 50, 200),
        ("こんにちは" * 40, 200),
        ("😀🎉🦀" * 20, 120),
        ("0123456789" * 10, 100),
        ("{}[]():;,." * 10, 100),
        ("3f2504e0-4f89-41d3-9a0c-0305e82c3301", 20),
        ("kJh8Qz0aLm2XcV5bNr7TyW1eRu4Ip9Os", 16),
        ("    for (int i = 0; i < n; ++i) { sum += a[i]; }\n" * 4, 80),
        (" " * 1000, 100),
    ],
)
def test_what_is_denser_than_english_counts_for_more(text, least):
    assert least <= estimate_text(text) <= 4 * least


@given(st.text(st.characters()), st.text(st.characters()))
def test_any_text_has_an_estimate_and_more_text_never_has_less(text, more):
    assert estimate_text(text) <= estimate_text(text + more)
    assert estimate_text(text) <= 4 * len(text)
    assert estimate_text(text) <= ceiling_of_text(text)


def test_all_that_is_sent_with_a_prompt_counts():
    messages = (said("What is this?"),)
    plain = estimate(Prompt(messages))
    tool = Tool("look", "Look at it", {"type": "object", "properties": {}})
    call = ActionCall("1", "look", {"at": PROSE})
    photo = Part("", attachment=Attachment("image/jpeg", "photo.jpg"))
    letter = Part("", attachment=Attachment("application/pdf", "letter.pdf"))
    table = Part("", attachment=Attachment("text/csv", "table.csv"))
    thoughts = PromptMessage("assistant", carry=Carry("thinker", ["x" * 4000]))
    assert estimate(Prompt(messages, (tool,))) > plain + TOOLS
    assert estimate(Prompt(messages, schema={"type": "object", "description": PROSE})) > plain + estimate_text(PROSE)
    assert estimate(Prompt((*messages, PromptMessage("assistant", calls=(call,))))) > plain + CALL + estimate_text(
        PROSE
    )
    for file in (photo, letter):
        assert estimate(Prompt((PromptMessage("user", (*messages[0].parts, file)),))) > plain + IMAGE
    assert plain < estimate(Prompt((PromptMessage("user", (*messages[0].parts, table)),))) < plain + 20
    assert estimate(Prompt((*messages, thoughts))) > plain + 1000


def test_at_most_a_prompt_has_a_token_for_each_byte():
    messages = (said("Grüße!"), said("Hello"))
    plain = ceiling(Prompt(messages))
    tool = Tool("look", "Look at it", {"type": "object", "properties": {}})
    call = ActionCall("1", "look", {"at": PROSE})
    photo = Part("", attachment=Attachment("image/jpeg", "photo.jpg"))
    letter = Part("", attachment=Attachment("application/pdf", "letter.pdf"))
    thoughts = PromptMessage("assistant", carry=Carry("thinker", ["x" * 4000]))
    assert ceiling(Prompt((*messages, said("ü€😀" * 100)))) >= plain + 900
    for more in (
        Prompt(messages, (tool, tool)),
        Prompt(messages, schema={"type": "object", "description": PROSE}),
        Prompt((*messages, PromptMessage("assistant", calls=(call,)))),
        Prompt((*messages, PromptMessage("user", (photo,)))),
        Prompt((*messages, thoughts)),
    ):
        assert ceiling(more) > plain
        assert ceiling(more) - plain >= estimate(more) - estimate(Prompt(messages)) - TOOLS
    assert ceiling(Prompt((*messages, thoughts))) >= plain + 4000
    assert ceiling(Prompt((PromptMessage("user", (photo, photo)),))) >= 2 * PICTURE
    two_letters = Prompt((PromptMessage("user", (letter, letter)),))
    assert DOCUMENT <= ceiling(two_letters) < 2 * DOCUMENT
    for shouted in ("Image/PNG", " image/png", "Application/PDF; version=2"):
        file = Part("", attachment=Attachment(shouted, "a"))
        assert ceiling(Prompt((PromptMessage("user", (file,)),))) >= PICTURE
        assert estimate(Prompt((PromptMessage("user", (file,)),))) >= IMAGE
    assert ceiling_of_text("ﷺ") >= len("ﷺ".encode()) * 11  # as some tokenizers have it, which write its words out


# --- prompts ---------------------------------------------------------------------------------------------------------------


def said(text, role="user", **fields):
    return PromptMessage(role, (Part(text, role=role if role in ("user", "assistant") else "", **fields),))


def words(tokens):
    """A text of about so many tokens."""
    return " ".join(f"word{number % 10}" for number in range(tokens * 10 // 31))


def line(number, role="user", tokens=100):
    text = f"line {number}: {words(tokens)}"
    return said(text, role, key="recent_messages", memory=make_id("line", str(number)), provenance=ANA)


def lines(count, tokens=100, first=0):
    return [line(number, ("user", "assistant")[number % 2], tokens) for number in range(first, first + count)]


SYSTEM = PromptMessage("system", (Part(words(200), "character", HERS, stable=True, order=-100),))
LONG = PromptMessage("system", (Part(words(1_000), "character", HERS, stable=True, order=-100),))
QUESTION = said("What did we say?", key="message", provenance=ANA)


def prompt(*messages, **fields):
    return Prompt(tuple(messages), **fields)


def kept(fitted):
    return [message.text.partition(":")[0] for message in fitted.prompt.messages if message.text.startswith("line")]


# --- what is left out --------------------------------------------------------------------------------------------------------


def test_a_prompt_that_fits_is_left_alone():
    whole = prompt(SYSTEM, *lines(4), QUESTION)
    fitted = fit(whole, estimate(whole))
    assert fitted.prompt is whole
    assert fitted.notes == ()
    assert fitted.tokens == estimate(whole)


def test_the_oldest_lines_are_left_out_first_and_why_says_so():
    whole = prompt(SYSTEM, *lines(200), QUESTION)
    fitted = fit(whole, 8_000)
    left = kept(fitted)
    assert left == [f"line {number}" for number in range(200 - len(left), 200)]
    assert fitted.prompt.messages[0] is SYSTEM
    assert fitted.prompt.messages[-1] is QUESTION
    assert fitted.tokens == estimate(fitted.prompt) <= 8_000
    assert fitted.notes == (
        f"{200 - len(left)} messages of history were left out: about {estimate(whole):,} tokens, the model takes 8,000.",
    )


def test_the_conversation_begins_with_a_persons_line():
    for first in (0, 1):
        whole = prompt(SYSTEM, *lines(61, first=first), QUESTION)
        for room in range(1_000, 6_000, 171):
            assert [message.role for message in fit(whole, room).prompt.messages][1] == "user"


def test_a_call_goes_with_its_results():
    calls = (ActionCall("a", "look", {}), ActionCall("b", "look", {}))
    looking = [
        line(0),
        PromptMessage("assistant", (Part("Let me see."),), calls),
        PromptMessage("tool", (Part(words(100)),), call="a"),
        line(1),  # said in between
        PromptMessage("tool", (Part(words(100)),), call="b"),
        line(2, "assistant"),
    ]
    whole = prompt(SYSTEM, *looking, *lines(6, first=4), QUESTION)
    for room in range(700, estimate(whole)):
        left = fit(whole, room).prompt.messages
        asked = {call.id for message in left for call in message.calls}
        assert {message.call for message in left if message.role == "tool"} == asked
        assert asked in ({"a", "b"}, set())


def test_most_of_the_room_is_used():
    whole = prompt(SYSTEM, *lines(400, tokens=50), QUESTION)
    for room in range(2_000, 12_000, 517):
        assert fit(whole, room).tokens >= 0.7 * room


@pytest.mark.parametrize(("room", "often"), [(8_000, 3), (30_000, 10)])
@pytest.mark.parametrize("remembered", [True, False])
def test_the_cut_stays_where_it_is_while_the_conversation_goes_on(room, often, remembered):
    drawn = random.Random(7)
    said_before = lines(800) if remembered else [said(each.text, each.role) for each in lines(800)]
    beginnings = []
    for turn in range(100):
        moving = PromptMessage("system", (Part(words(drawn.randrange(200)), "weather", HERS),))
        whole = prompt(SYSTEM, *said_before[: 600 + 2 * turn], moving, QUESTION)
        beginnings.append(kept(fit(whole, room))[0])
    moves = sum(now != before for before, now in pairwise(beginnings))
    assert moves <= 100 / often


def test_a_turn_that_is_done_again_is_cut_in_the_same_way():
    whole = prompt(SYSTEM, *lines(100), QUESTION)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(whole), type=Prompt)
    assert fit(whole, 3_000) == fit(again, 3_000)


def context(text, key="weather", order=0, **fields):
    return Part(text, key, HERS, order=order, **fields)


HEADING = context("What you remember.", "memories_source", 50)
RECALLED = [context(f"memory {number} {words(100)}", "memories", 50, memory=str(number)) for number in range(5)]


def test_memories_go_from_the_last_recalled_on_once_no_line_is_left():
    moving = PromptMessage("system", (context("It is Sunday.", "time", -60), HEADING, *RECALLED))
    whole = prompt(SYSTEM, *lines(4), moving, QUESTION)
    fitted = fit(whole, estimate(prompt(SYSTEM, moving, QUESTION)) - 150)
    assert kept(fitted) == []
    assert fitted.prompt.messages[1].parts == moving.parts[:5]
    assert fitted.notes == (
        f"4 messages of history were left out: about {estimate(whole):,} tokens, the model takes {fitted_room(fitted)}.",
        f"2 pieces of context were left out (memories): about {estimate(whole):,} tokens, "
        f"the model takes {fitted_room(fitted)}.",
    )


def fitted_room(fitted):
    return fitted.notes[0].rpartition(" ")[2].rstrip(".")


def test_what_introduces_memories_goes_with_them():
    source = context("Ana said on 3 May 2026:", "memories_source", 50)
    moving = PromptMessage("system", (context("It is Sunday.", "time", -60), HEADING, RECALLED[0], source, RECALLED[1]))
    room = estimate(prompt(SYSTEM, moving, QUESTION))
    one_less = fit(prompt(SYSTEM, moving, QUESTION), room - 1).prompt
    none_left = fit(prompt(SYSTEM, moving, QUESTION), room - 200).prompt
    assert one_less.messages[1].parts == moving.parts[:3]
    assert none_left.messages[1].parts == moving.parts[:1]


def test_a_piece_of_context_that_still_fits_is_kept():
    """The most important first, wherever it stands."""
    time, photo = context("It is Sunday.", "time", -60), context("A photo came with it.", "attachments", 60)
    whole = prompt(LONG, PromptMessage("system", (photo, *RECALLED, time)), QUESTION)
    for room_for, left in (((photo, RECALLED[0], time), (photo, RECALLED[0], time)), ((photo,), (time,))):
        room = estimate(prompt(LONG, PromptMessage("system", room_for), QUESTION))
        assert fit(whole, room).prompt.messages[1].parts == left


def test_no_memory_is_kept_of_which_a_better_one_is_left_out():
    small = context("He likes tea.", "memories", 50, memory="6")
    moving = PromptMessage("system", (RECALLED[0], RECALLED[1], small))
    whole = prompt(LONG, moving, QUESTION)
    assert fit(whole, estimate(whole) - 1).prompt.messages[1].parts == (RECALLED[0], RECALLED[1])
    assert fit(whole, estimate(whole) - 30).prompt.messages[1].parts == (RECALLED[0],)


def test_a_message_of_which_all_context_is_gone_is_gone():
    whole = prompt(SYSTEM, PromptMessage("system", (RECALLED[0],)), QUESTION)
    assert fit(whole, estimate(whole) - 50).prompt == prompt(SYSTEM, QUESTION)


@pytest.mark.parametrize("key", ["", "character", "feedback", "schedule"])
def test_what_the_model_is_told_to_do_is_not_left_out(key):
    told = PromptMessage("system", (Part(f"Be brief. {words(300)}", key, HERS), RECALLED[0]))
    left = fit(prompt(told, QUESTION), 250).prompt.messages[0].parts
    assert len(left) == 1
    assert left[0].text.startswith("Be brief.")


def looked_up(text, *, carry=None, saying="Let me see."):
    """A round in which something was looked up."""
    return (
        PromptMessage("assistant", (Part(saying),), (ActionCall("a", "look", {}),), carry=carry),
        PromptMessage("tool", (Part(text, "result", ANA, at=3.0),), call="a"),
    )


def test_one_huge_result_does_not_push_out_the_conversation():
    whole = prompt(SYSTEM, *lines(10), QUESTION, *looked_up(words(50_000)))
    fitted = fit(whole, 4_000)
    assert len(kept(fitted)) == 10
    assert 1_800 <= estimate_text(fitted.prompt.messages[-1].text) <= 2_000


def test_one_huge_piece_of_context_does_not_either():
    moving = PromptMessage("system", (context("It is Sunday.", "time"), context(words(50_000))))
    fitted = fit(prompt(SYSTEM, *lines(10), moving, QUESTION), 4_000)
    assert len(kept(fitted)) == 10
    assert 900 <= estimate_text(fitted.prompt.messages[-2].parts[1].text) <= 1_000
    assert [note.split(",")[0].split(" by")[0] for note in fitted.notes] == ["1 piece of context was shortened"]


def test_the_longest_texts_are_shortened_in_the_middle():
    text = "".join(f"{number:05}\n" for number in range(20_000))
    short_one = PromptMessage("tool", (Part("42", "result"),), call="b")
    whole = prompt(SYSTEM, QUESTION, *looked_up(text), short_one)
    fitted = fit(whole, 2_000)
    part, before = fitted.prompt.messages[3].parts[0], whole.messages[3].parts[0]
    head, mark, tail = part.text.partition("\n[… ")[0], part.text.split("\n")[-1:], part.text.rpartition("…]\n")[2]
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head) - len(tail) in (0, 1)
    left_out = len(text) - len(head) - len(tail)
    assert f"[… {left_out:,} characters left out …]" in part.text
    assert mark
    assert msgspec.structs.replace(part, text="") == msgspec.structs.replace(before, text="")
    assert fitted.prompt.messages[4] is short_one
    assert fitted.notes == (
        f"1 result of a tool was shortened by {len(text) - len(part.text):,} characters: "
        f"about {estimate(whole):,} tokens, the model takes 2,000.",
    )


def test_the_persons_message_is_shortened_last_and_never_left_out():
    asked = said(f"Please read: {words(3_000)} What does it say?", key="message", provenance=ANA)
    fitted = fit(prompt(SYSTEM, *lines(10), asked, *looked_up(words(5_000))), 1_000)
    question, result = fitted.prompt.messages[1], fitted.prompt.messages[-1]
    assert question.text.startswith("Please read:")
    assert question.text.endswith("What does it say?")
    assert question.parts[0].provenance is ANA
    assert estimate_text(result.text) <= LEAST < estimate_text(question.text)
    left, mark = result.text.split("\n[… ")[0], result.text.split("[… ")[1].split(" ")[0]
    assert len(words(5_000)) - int(mark.replace(",", "")) in (2 * len(left), 2 * len(left) - 1)
    assert [note.split(" shortened")[0] for note in fitted.notes[1:]] == [
        "1 part of the message was",
        "1 result of a tool was",
    ]


def test_what_a_provider_wants_back_is_left_as_it_is():
    thinking = looked_up(words(2_000), carry=Carry("thinker", "signed"), saying=words(400))
    fitted = fit(prompt(QUESTION, *thinking), 1_000)
    assert fitted.prompt.messages[1] is thinking[0]
    with pytest.raises(ProviderError):
        fit(prompt(QUESTION, *thinking), 300)


def test_a_prompt_of_a_hook_is_shortened_too():
    told = PromptMessage("system", (Part("Sum this up.", provenance=HERS),))
    fitted = fit(prompt(told, said(words(10_000))), 1_000)
    assert fitted.prompt.messages[0] is told
    assert fit(prompt(PromptMessage("system", (Part(words(10_000)),))), 1_000).tokens <= 1_000


def test_what_cannot_be_made_to_fit_is_an_error_that_says_what_to_do():
    whole = prompt(SYSTEM, *lines(10), QUESTION)
    with pytest.raises(ProviderError) as raised:
        fit(whole, 100)
    assert raised.value.reason == "length"
    assert f"{estimate(prompt(SYSTEM, QUESTION)):,} tokens even without" in raised.value.message
    assert f"with it {estimate(whole):,}" in raised.value.message
    assert raised.value.message.endswith("the model takes 100.")
    assert "larger context" in raised.value.remedy


@pytest.mark.parametrize("room", [0, -5])
def test_no_room_at_all_is_an_error(room):
    with pytest.raises(CarrierError):
        fit(prompt(QUESTION), room)


# --- whatever the prompt -------------------------------------------------------------------------------------------------

TEXTS = st.builds(
    lambda kind, length, number: f"{number} {kind * length}",
    st.sampled_from(["word ", "你好", "😀", "x", "{1: 2}, ", "\n"]),
    st.integers(0, 300),
    st.integers(0, 10**6),
)


@st.composite
def rounds(draw, most=3):
    """Calls of tools and what came of them; ids repeat, as some services' do."""
    messages = []
    for _ in range(draw(st.integers(0, most))):
        ids = [f"call-{number}" for number in range(draw(st.integers(1, 2)))]
        carry = draw(st.sampled_from([None, None, Carry("thinker", "signed")]))
        calls = tuple(ActionCall(each, "look", {"at": "it"}) for each in ids)
        messages.append(PromptMessage("assistant", (Part(draw(TEXTS), provenance=ANA),), calls, carry=carry))
        messages += [PromptMessage("tool", (Part(draw(TEXTS), "result", ANA),), call=each) for each in ids]
    return messages


@st.composite
def prompts(draw):
    messages = []
    if draw(st.booleans()):
        stable = tuple(Part(draw(TEXTS), "character", HERS, stable=True) for _ in range(draw(st.integers(1, 2))))
        messages.append(PromptMessage("system", stable))
    for role in draw(st.lists(st.sampled_from(["user", "assistant", "calls"]), max_size=12)):
        messages += draw(rounds(1)) if role == "calls" else [said(draw(TEXTS), role, key="recent", provenance=ANA)]
    pieces = draw(st.lists(st.tuples(TEXTS, st.sampled_from(["weather", "memories", "", "feedback"]), st.booleans())))
    if pieces:
        moving = (context(text, key, len(key), memory=key[:1] * is_memory) for text, key, is_memory in pieces)
        messages.append(PromptMessage("system", tuple(moving)))
    asked = tuple(Part(text, "message", ANA, "user") for text in draw(st.lists(TEXTS, min_size=1, max_size=2)))
    return prompt(*messages, PromptMessage("user", asked), *draw(rounds()))


def texts_of(messages):
    return [part for message in messages for part in message.parts]


def is_piece(message, part):
    return message.role == "system" and not part.stable and part.key in ("weather", "memories")


def least(whole):
    """The tokens of what cannot be left out, every text in it as short as can be."""
    asked = max(at for at, message in enumerate(whole.messages) if message.role == "user")
    left, tokens = [], 0
    for at, message in enumerate(whole.messages):
        if at < asked and message.role != "system":
            continue
        parts = [part for part in message.parts if not is_piece(message, part)]
        if parts:
            lasting = [part for part in parts if part.stable or message.carry is not None]
            left.append(msgspec.structs.replace(message, parts=tuple(lasting)))
            tokens += sum(1 + min(LEAST, estimate_text(part.text)) for part in parts if part not in lasting)
    return estimate(prompt(*left)) + tokens


@settings(deadline=None)
@given(prompts(), st.floats(0.05, 1.1))
def test_whatever_the_prompt_it_fits_and_is_still_a_prompt_or_cannot_be_made_to(whole, share):
    room = int(estimate(whole) * share)
    try:
        fitted = fit(whole, room)
    except ProviderError:
        assert room < least(whole)
        return
    left = fitted.prompt
    assert fitted.tokens == estimate(left) <= room
    assert (left is whole) == (estimate(whole) <= room) == (not fitted.notes)
    assert fit(left, room).prompt is left
    assert msgspec.structs.replace(left, messages=()) == msgspec.structs.replace(whole, messages=())
    _is_valid(left.messages, whole.messages)
    _is_taken_from(left.messages, whole.messages)


def _is_valid(left, whole):
    spoken = [message.role for message in left if message.role != "system"]
    if len(spoken) < len([message for message in whole if message.role != "system"]):
        assert spoken[0] == "user"
    pairs = []
    for message in left:
        if message.role == "tool":
            assert message.call in pairs
            pairs.remove(message.call)
        else:
            assert not pairs
            pairs += [call.id for call in message.calls]
    assert not pairs


def _is_taken_from(left, whole):
    """Each message is one of the whole's, in the same order; its parts are the same but for a middle that is missing."""
    remaining = iter(whole)
    for message in left:
        before = next(each for each in remaining if _could_be(message, each))
        if message.role != "system":
            assert len(message.parts) == len(before.parts)
            assert all(
                bool(part.text) == bool(each.text) for part, each in zip(message.parts, before.parts, strict=True)
            )
    assert [part for part in texts_of(left) if part.stable] == [part for part in texts_of(whole) if part.stable]
    assert [message for message in left if message.carry] == [message for message in whole if message.carry][
        len([message for message in whole if message.carry]) - len([message for message in left if message.carry]) :
    ]


def _could_be(message, before):
    if (message.role, message.calls, message.call) != (before.role, before.calls, before.call):
        return False
    remaining = iter(before.parts)
    return all(any(_is_shortened(part, each) for each in remaining) for part in message.parts)


def _is_shortened(part, before):
    if msgspec.structs.replace(part, text="") != msgspec.structs.replace(before, text=""):
        return False
    if part.text == before.text:
        return not part.stable or part is before
    head, tail = part.text.partition("\n[… ")[0], part.text.rpartition("…]\n")[2]
    return not part.stable and before.text.startswith(head) and before.text.endswith(tail)
