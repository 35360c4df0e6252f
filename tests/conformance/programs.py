"""What random programs are made of, drawn from few sessions and numbers so that they meet."""

from __future__ import annotations

from hypothesis import strategies as st

from app.backends.conformance.samples import (
    ALICE,
    ALICES,
    BOB,
    BOBS,
    EPOCH,
    OTHER_EPOCH,
    moment,
    number_id,
)
from app.backends.protocol import EVERYTHING
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    ArchiveSession,
    Change,
    Commit,
    CopyMessages,
    CreateSession,
    DeleteMessage,
    DeleteSession,
    EditMessage,
    Idempotency,
    PinSession,
    RenameSession,
    SetMetadata,
    StarSession,
    TruncateMessages,
)
from app.model.events import LogRead
from app.model.identifiers import AgentId, MessageId, Position, ProfileId, Revision, SessionKey
from app.model.identifiers import Sequence as Number
from app.model.message import MessageRole, MessageScope, MessageStatus, NewMessage, Sender
from app.model.paging import (
    MessagePageRequest,
    SessionBound,
    SessionFilter,
    SessionOrderField,
    SessionPageRequest,
    Take,
    Window,
    title_order,
)
from app.model.parts import TextPart, ToolCallPart
from app.model.search import SearchBound, SearchOrder, SearchRequest
from app.model.search_query import parse_query

IDS = [number_id(number) for number in range(4)]
WORDS = ["", "Alpha", "alpha", "ß", "SS", "会话", "100%", "a_b", "'quoted'", "[1]"]

QUERIES = [
    "alpha",
    "ALPH",
    "ss",
    "会",
    "会话",
    "话 会",
    "100%",
    "b",
    "a_b",
    "'quoted'",
    "search",
    "[1",
]

ids = st.sampled_from(IDS)
scopes = st.sampled_from([EVERYTHING, EVERYTHING, EVERYTHING, ALICES, BOBS])
owners = st.sampled_from([ALICE, ALICE, BOB, None])
words = st.sampled_from(WORDS)
titles = st.none() | words
times = st.integers(0, 60).map(moment)
numbers = st.integers(0, 9).map(Number)
epochs = st.sampled_from([EPOCH, OTHER_EPOCH])
objects = st.sampled_from([{}, {"a": 1}, {"a": True}, {"b": [1.5, None, {"c": "会"}]}])
parts = st.lists(
    st.one_of(
        words.map(TextPart), st.builds(ToolCallPart, st.just("c1"), st.just("search"), words)
    ),
    max_size=2,
).map(tuple)
senders = st.none() | st.builds(
    Sender, titles, st.none() | st.just(BOB), st.none() | st.just(AgentId("helper"))
).filter(lambda sender: sender != Sender())

queries = st.sampled_from(QUERIES).map(parse_query)

new_messages = st.builds(
    NewMessage,
    role=st.sampled_from(MessageRole),
    parts=parts,
    preview=titles,
    status=st.sampled_from(MessageStatus),
    sender=senders,
    usage=st.none() | objects,
    metadata=objects,
    created_at=st.none() | times,
)

creations = st.builds(
    CreateSession,
    key=st.sampled_from(["one", "ONE", "two"]),
    epoch=epochs,
    owner_id=owners,
    agent_id=st.none() | st.just(AgentId("navigator")),
    profile_id=st.none() | st.just(ProfileId("default")),
    title=titles,
    channel=st.sampled_from([None, "web"]),
    metadata=objects,
    get_existing=st.booleans(),
)

additions = st.builds(AddMessages, st.lists(new_messages, max_size=3).map(tuple))
copies = st.builds(CopyMessages, ids, st.none() | numbers)
changes: st.SearchStrategy[Change] = st.one_of(
    additions,
    additions,
    st.builds(RenameSession, titles),
    st.builds(PinSession, st.booleans()),
    st.builds(StarSession, st.booleans()),
    st.builds(ArchiveSession, st.booleans()),
    st.builds(SetMetadata, objects),
    st.builds(
        EditMessage,
        numbers,
        parts=st.none() | parts,
        preview=titles,
        status=st.none() | st.sampled_from(MessageStatus),
        model=titles,
        usage=st.none() | objects,
        metadata=st.none() | objects,
    ),
    st.builds(DeleteMessage, numbers),
    st.builds(TruncateMessages, numbers),
    st.builds(ArchiveMessages, numbers),
    copies,
)
attempts = st.none() | st.builds(
    Idempotency, st.sampled_from(["k1", "k2"]), st.sampled_from(["d1", "d2"])
)

several = st.lists(changes, max_size=4)
creating = st.tuples(creations, st.one_of(several, st.tuples(copies, additions).map(list))).map(
    lambda both: (both[0], *both[1])
)
beginnings = st.tuples(
    *(
        st.builds(
            Commit,
            st.just(session_id),
            st.tuples(
                st.builds(
                    CreateSession,
                    key=st.just(key),
                    epoch=epochs,
                    owner_id=st.just(owner),
                    title=titles,
                ),
                st.builds(AddMessages, st.lists(new_messages, min_size=1, max_size=7).map(tuple)),
            ),
            times,
        )
        for session_id, key, owner in zip(
            IDS, ("one", "two", "one"), (ALICE, ALICE, BOB), strict=False
        )
    )
)
commits = st.one_of(
    st.builds(Commit, ids, creating, times, attempts, st.sampled_from([None, None, None, 0, 1])),
    st.builds(
        Commit,
        ids,
        several.map(tuple),
        times,
        attempts,
        st.none() | st.none() | st.integers(0, 12).map(Revision),
    ),
    st.builds(Commit, ids, additions.map(lambda change: (change,)), times),
    st.builds(Commit, ids, st.just((DeleteSession(),)), times, attempts),
)


def session_pages(order: SessionOrderField) -> st.SearchStrategy[SessionPageRequest]:
    """Draws requests for pages in an order, with bounds that fit it."""
    values = titles.map(title_order) if order is SessionOrderField.TITLE else times
    bounds = st.none() | st.builds(SessionBound, values, ids)
    marks = st.sampled_from([None, None, True, False])
    filters = st.builds(
        SessionFilter,
        archived=marks,
        pinned=marks,
        starred=marks,
        profile_id=st.sampled_from([None, None, ProfileId("default")]),
        agent_id=st.sampled_from([None, None, AgentId("navigator")]),
        channel=st.sampled_from([None, None, "web"]),
        updated_since=st.none() | times,
        updated_until=st.none() | times,
        title=st.none() | words,
        query=st.sampled_from([None, None]) | queries,
    )
    windows = st.builds(Window, st.integers(1, 4), st.sampled_from(Take), bounds, bounds)
    return st.builds(
        SessionPageRequest,
        windows,
        st.just(SessionFilter()) | filters,
        st.just(order),
        st.booleans(),
    )


def searches_in(order: SearchOrder) -> st.SearchStrategy[SearchRequest]:
    """Draws searches in an order, with bounds that fit it."""
    scores = st.just(0) if order is SearchOrder.NEWEST else st.sampled_from([0, 2500])
    bounds = st.none() | st.builds(SearchBound, scores, times, ids, numbers)
    sessions = st.builds(
        SessionFilter,
        archived=st.sampled_from([None, False]),
        profile_id=st.sampled_from([None, ProfileId("default")]),
        title=st.none() | words,
    )
    return st.builds(
        SearchRequest,
        queries,
        st.builds(Window, st.integers(0, 5), after=bounds),
        st.just(order),
        st.just(SessionFilter()) | sessions,
        session_id=st.none() | ids,
        roles=st.none() | st.frozensets(st.sampled_from(MessageRole)),
        messages=st.sampled_from(MessageScope),
        since=st.none() | times,
        until=st.none() | times,
    )


searches = st.sampled_from(SearchOrder).flatmap(searches_in)
number_bounds = st.none() | numbers
message_pages = st.lists(
    st.builds(
        MessagePageRequest,
        ids,
        st.builds(Window, st.integers(1, 5), st.sampled_from(Take), number_bounds, number_bounds),
        st.sampled_from(MessageScope),
    ),
    min_size=1,
    max_size=4,
)
log_reads = st.lists(
    st.builds(
        LogRead,
        ids,
        st.none() | st.builds(Position, epochs, st.integers(0, 15).map(Revision)),
        st.integers(1, 6),
    ),
    min_size=1,
    max_size=4,
)
keys = st.lists(st.builds(SessionKey, owners, st.sampled_from(["one", "ONE", "two"])), max_size=3)
message_ids = st.lists(st.builds(MessageId, ids, numbers), max_size=4)
