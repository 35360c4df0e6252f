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
from app.backends.conformance.search_corpus import FOUND_BY, SAID
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
            for terms in (letters[:count], letters[count - 1 :: -1]):
                page = await hits_of(backend, asked(" ".join(terms)))
                assert len(page.items) == 11 - count, terms
