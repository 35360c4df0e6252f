"""What is found by which query, in every script, down to one character."""

from __future__ import annotations

import random

import pytest

from app.backends.conformance.samples import (
    SECOND,
    all_done,
    created,
    done,
    message_id,
    moment,
    number_id,
    said,
    session_of,
)
from app.backends.conformance.search_samples import asked, hits_of, pages_of_hits
from app.backends.conformance.subject import BackendTests
from app.backends.protocol import EVERYTHING, Backend
from app.model.identifiers import Sequence
from app.model.message import Message, MessageRole, NewMessage
from app.model.paging import Page
from app.model.parts import (
    AudioPart,
    FilePart,
    ImagePart,
    OtherPart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from app.model.search_query import matches, query_grams
from app.model.search_text import SEARCHED_LENGTH, normal_text

SAID = {
    "pages": "How does keyset pagination work in GraphQL?",
    "cursors": "Use a cursor: `first: 20, after: endCursor`. Cursors are opaque.",
    "python": "def page_by_cursor(rows, limit=20):\n    return rows[:limit]  # O(n)",
    "c": "std::vector<int> v{1, 2}; auto f = (int x) => x + 1; // C++ and C#",
    "goods": "going to the shop; good goods ago",
    "go": "Go is a language. GO!",
    "world": "你好，世界！今天天气很好。",
    "parted": "世 界",
    "tower": "東京タワーは高いです",
    "narrow": "ﾄｳｷｮｳ ﾀﾜｰ ｶﾞ",
    "korean": "한국어 검색",
    "accents": "résumé naïve café",
    "marks": "re\u0301sume\u0301 apart",
    "plain": "resume",
    "party": "party 🎉 done 👍🏽 ❤️ 👩‍💻",
    "wide": "ＦＵＬＬ ｗｉｄｔｈ ① ﬁne",
    "street": "Straße",
    "signs": '100% sure, a_b and a*b, it\'s "quoted" \\ back',
    "operators": "AND OR NOT NEAR text:foo ^bar (baz)",
    "lines": "  spaces \t and\n\n\nlines  ",
    "mixed": "用go语言写，用C#写",
    "sql": "SELECT * FROM messages WHERE id = 'x'; -- drop",
    "invisible": "soft\u00adhyphen zero\u200bwidth",
    "greek": "ΟΔΥΣΣΕΥΣ",
    "dotted": "İstanbul",
    "beyond": "𠮷野家",
    "thai": "ภาษาไทย",
    "russian": "Привет, мир",
    "points": "???",
}

FOUND_BY: dict[str, set[str]] = {
    "cursor": {"cursors", "python"},
    "CURSOR": {"cursors", "python"},
    "cursors": {"cursors"},
    "rsor": {"cursors", "python"},
    "cursor page": {"python"},
    "cursor 20": {"cursors", "python"},
    "cursor nothing": set(),
    '"are opaque"': {"cursors"},
    '"opaque are"': set(),
    "opaque are": {"cursors"},
    "page_by": {"python"},
    "rows[:limit]": {"python"},
    '"20): return"': {"python"},
    "go": {"go", "mixed"},
    "GO": {"go", "mixed"},
    "goo": {"goods"},
    "20": {"cursors", "python"},
    "2": {"c"},
    "a": {"cursors", "go", "signs"},
    "id": {"sql"},
    "::": {"c"},
    "=>": {"c"},
    "->": set(),
    "c++": {"c"},
    "c#": {"c", "mixed"},
    "x + 1": {"c"},
    "std::vector": {"c"},
    "世": {"world", "parted"},
    "界": {"world", "parted"},
    "世界": {"world"},
    "界世": set(),
    "世 界": {"world", "parted"},
    '"世 界"': {"parted"},
    "天": {"world"},
    "气今": set(),
    "今天天": {"world"},
    "天气很好": {"world"},
    "。": {"world"},
    "京": {"tower"},
    "東京タワー": {"tower"},
    "タワー": {"tower", "narrow"},
    "ﾀﾜｰ": {"tower", "narrow"},
    "ガ": {"narrow"},
    "カ": set(),
    "です": {"tower"},
    "국": {"korean"},
    "국어": {"korean"},
    "검색": {"korean"},
    "語": set(),
    "写": {"mixed"},
    "言写": {"mixed"},
    "o语": {"mixed"},
    "go语": {"mixed"},
    "用c": {"mixed"},
    "résumé": {"accents", "marks"},
    "re\u0301sume\u0301": {"accents", "marks"},
    "RÉSUMÉ": {"accents", "marks"},
    "resume": {"plain"},
    "🎉": {"party"},
    "🎊": set(),
    "👍🏽": {"party"},
    "👍": {"party"},
    "❤": {"party"},
    "❤️": {"party"},
    "👩‍💻": {"party"},
    "full width": {"wide"},
    "ｆｕｌｌ": {"wide"},
    "1": {"c", "wide"},
    "fine": {"wide"},
    "strasse": {"street"},
    "STRAẞE": {"street"},
    "100%": {"signs"},
    "a_b": {"signs"},
    "a*b": {"signs"},
    "a?b": set(),
    "it's": {"signs"},
    '"quoted"': {"signs"},
    'x "quoted"': set(),
    "\\ back": {"signs"},
    "and": {"c", "signs", "operators", "lines"},
    "AND NOT": {"operators"},
    "NEAR(": set(),
    "text:foo": {"operators"},
    "^bar": {"operators"},
    "(baz)": {"operators"},
    "-drop": set(),
    "--": {"sql"},
    "mess*": set(),
    "'x'": {"sql"},
    '"and lines"': {"lines"},
    "softhyphen": {"invisible"},
    "zero\u200bwid": {"invisible"},
    "οδυσσεύς": set(),
    "οδυσσευς": {"greek"},
    "i\u0307stanbul": {"dotted"},
    "istanbul": set(),
    "𠮷": {"beyond"},
    "𠮷野": {"beyond"},
    "野家": {"beyond"},
    "吉": set(),
    "ภาษา": {"thai"},
    "ПРИВЕТ": {"russian"},
    "ми": set(),
    "??": {"points"},
    "????": set(),
}

CASES = "aAbB 1_.:é字世カガ한글🎉ß"


async def tell(backend: Backend, texts: dict[str, str]) -> dict[str, Message]:
    """Says texts in two sessions, each at its own time; returns the messages by their names."""
    messages = [said(text, created_at=moment(at)) for at, text in enumerate(texts.values())]
    half = len(messages) // 2
    await all_done(
        backend,
        created(messages=messages[:half]),
        created(SECOND, messages=messages[half:]),
    )
    ids = [
        message_id(at + 1) if at < half else message_id(at - half + 1, SECOND)
        for at in range(len(messages))
    ]
    found = await backend.get_messages(ids, EVERYTHING)
    named = dict(zip(texts, [found[one] for one in ids], strict=True))
    return {name: message for name, message in named.items() if isinstance(message, Message)}


class SearchMatchingTests(BackendTests):
    """Which messages a query finds."""

    async def test_every_query_finds_what_has_its_terms(self, backend: Backend) -> None:
        names = {message.message_id: name for name, message in (await tell(backend, SAID)).items()}
        requests = {query: asked(query) for query in FOUND_BY}
        pages = await pages_of_hits(backend, list(requests.values()))
        found = {
            query: {names[hit.message.message_id] for hit in pages[request].items}
            for query, request in requests.items()
        }
        assert {query: found[query] for query in FOUND_BY if found[query] != FOUND_BY[query]} == {}

    async def test_a_hit_is_the_message_whole_with_its_session(self, backend: Backend) -> None:
        told = await tell(backend, SAID)
        (hit,) = (await hits_of(backend, asked("pagination"))).items
        assert hit.message == told["pages"]
        assert hit.session == await session_of(backend)
        assert hit.score == 0

    async def test_nothing_is_found_in_an_empty_store(self, backend: Backend) -> None:
        page = await hits_of(backend, asked("anything"))
        assert page == Page((), has_previous=False, has_next=False)

    async def test_requests_of_one_call_are_answered_each(self, backend: Backend) -> None:
        await tell(backend, SAID)
        same, again, other = asked("cursor"), asked("cursor"), asked("世")
        pages = await pages_of_hits(backend, [same, again, other, other])
        assert len(pages) == 2
        assert [len(pages[request].items) for request in (same, other)] == [2, 2]
        assert await pages_of_hits(backend, []) == {}

    @pytest.mark.parametrize("seed", range(4))
    async def test_pieces_of_what_was_said_are_found_wherever_they_stand(
        self, backend: Backend, seed: int
    ) -> None:
        chance = random.Random(seed)
        texts = {
            str(at): "".join(chance.choices(CASES, k=chance.randint(0, 12))) for at in range(60)
        }
        told = await tell(backend, texts)
        pieces = [
            text[at : at + length]
            for text in texts.values()
            for at in (0, 3)
            for length in (1, 2, 3, 5)
        ]
        requests = [asked(f'"{piece}"') for piece in chance.sample(pieces, 120)]
        pages = await pages_of_hits(backend, [one for one in requests if query_grams(one.query)])
        assert len(pages) > 40
        for request, page in pages.items():
            assert {hit.message.text for hit in page.items} == {
                message.text
                for message in told.values()
                if matches(request.query, normal_text(message.parts))
            }, request.query

    @pytest.mark.parametrize(
        ("part", "found", "absent"),
        [
            (TextPart("spoken"), "spoken", "text"),
            (ToolCallPart("call_1", "lookup", '{"city": "Ulm"}'), "lookup", "call_1"),
            (ToolCallPart("call_1", "lookup", '{"city": "Ulm"}'), '"city": "ulm"', "arguments"),
            (ToolResultPart("call_1", "21 degrees", "weather"), "21 degrees", "weather"),
            (AudioPart("https://host/sound.mp3", None, "heard"), "heard", "sound"),
            (ImagePart("https://host/photo", alt="a cat"), "cat", "photo"),
            (FilePart("https://host/object", "report.pdf"), "report.pdf", "object"),
            (ReasoningPart("thought"), None, "thought"),
            (OtherPart("poll", {"question": "unknown"}), None, "unknown"),
        ],
    )
    async def test_what_a_part_says_is_found_and_its_addresses_are_not(
        self, backend: Backend, part: Part, found: str | None, absent: str
    ) -> None:
        await done(backend, created(messages=[NewMessage(MessageRole.ASSISTANT, (part,))]))
        for query, count in ((found, 1), (absent, 0)):
            if query is not None:
                page = await hits_of(backend, asked(query))
                assert len(page.items) == count, query

    async def test_the_first_characters_of_a_long_message_are_searched(
        self, backend: Backend
    ) -> None:
        filling = "filling " * (SEARCHED_LENGTH // 8 - 1)
        long = filling + " inside" + " outside" * 3
        await done(backend, created(messages=[said(long), said("outside"), said("世" * 70_000)]))
        for query, numbers in (
            ("inside", [1]),
            ("outside", [2]),
            ("filling inside", [1]),
            ("inside outside", []),
            ("世世世", [3]),
            ("世", [3]),
        ):
            page = await hits_of(backend, asked(query))
            assert [hit.message.sequence for hit in page.items] == numbers, query

    async def test_a_term_may_be_as_long_as_a_message(self, backend: Backend) -> None:
        words = " ".join(str(number) for number in range(60))
        await done(backend, created(messages=[said(words), said(words[:-1])]))
        page = await hits_of(backend, asked(f'"{words}"'))
        assert [hit.message.sequence for hit in page.items] == [Sequence(1)]

    async def test_many_terms_must_all_be_there(self, backend: Backend) -> None:
        letters = [f"word{letter}" for letter in "abcdefghij"]
        texts = [" ".join(letters[:count]) for count in range(1, 11)]
        await done(backend, created(number_id(1), messages=[said(text) for text in texts]))
        for count in range(1, 11):
            page = await hits_of(backend, asked(" ".join(reversed(letters[:count]))))
            assert len(page.items) == 11 - count
