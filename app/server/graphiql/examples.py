"""What a first visitor finds in GraphiQL: one tab an operation, ready to run on their own data.

A variable may hold a placeholder (a key of `FILLS`). Before the tabs are shown, the page runs
`LOOKUP` once and puts the newest session's own values in the placeholders' places; on an empty
store, or where the caller may not read, the placeholder's text stays as the hint it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Example:
    """One tab: a named operation and the variables it starts with."""

    query: str
    variables: Mapping[str, Json]


SESSION_ID = "paste the id of a session"
SCROLL_CURSOR = "paste a startCursor"
EVENT_CURSOR = "paste an eventCursor"

LOOKUP = """\
query NewestSession {
  sessions(first: 1) {
    edges {
      node {
        id
        eventCursor
        messages(last: 20) {
          pageInfo {
            startCursor
          }
        }
      }
    }
  }
}
"""

_NEWEST = ("sessions", "edges", 0, "node")

FILLS: Mapping[str, tuple[str | int, ...]] = {
    SESSION_ID: (*_NEWEST, "id"),
    SCROLL_CURSOR: (*_NEWEST, "messages", "pageInfo", "startCursor"),
    EVENT_CURSOR: (*_NEWEST, "eventCursor"),
}
"""Placeholder → where its value stands in the data that `LOOKUP` answers."""

EXAMPLES: tuple[Example, ...] = (
    Example(
        query="""\
# Conversations, the last active first.
# Next page: pageInfo.endCursor as $after.
query Sessions($first: Int!, $after: String) {
  sessions(first: $first, after: $after) {
    edges {
      node {
        id
        displayName
        preview
        messageCount
        lastMessageAt
        owner {
          name
          displayName
        }
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
""",
        variables={"first": 20, "after": None},
    ),
    Example(
        query="""\
# The newest page of a conversation, in the
# order it was said, with typed parts.
query NewestMessages($sessionId: ID!) {
  session(id: $sessionId) {
    displayName
    messageCount
    eventCursor
    messages(last: 20) {
      edges {
        node {
          id
          sequence
          role
          createdAt
          parts {
            __typename
            ... on TextPart {
              text
            }
            ... on ToolCallPart {
              toolCallId
              name
              arguments
            }
            ... on ToolResultPart {
              toolCallId
              text
            }
          }
        }
      }
      pageInfo {
        hasPreviousPage
        startCursor
      }
    }
  }
}
""",
        variables={"sessionId": SESSION_ID},
    ),
    Example(
        query="""\
# The page before the one you hold: $before is
# its pageInfo.startCursor. It is the last when
# hasPreviousPage is false. Scope ALL goes on
# into archived messages.
query ScrollBack($sessionId: ID!, $before: String) {
  session(id: $sessionId) {
    messages(last: 20, before: $before, scope: ALL) {
      edges {
        node {
          id
          sequence
          role
          text
          archivedAt
        }
      }
      pageInfo {
        hasPreviousPage
        startCursor
      }
    }
  }
}
""",
        variables={"sessionId": SESSION_ID, "before": SCROLL_CURSOR},
    ),
    Example(
        query="""\
# Messages by their words, in any script; sessions
# take the same query as a filter. A hit has the
# words around what matches.
query SearchMessages($query: String!) {
  searchMessages(query: $query, first: 10) {
    edges {
      node {
        id
        sequence
        role
        session {
          id
          displayName
        }
      }
      snippet {
        text
        highlights {
          start
          length
        }
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
""",
        variables={"query": "the"},
    ),
    Example(
        query="""\
# Messages are numbered as they are committed.
# What you can act on comes in userErrors.
mutation AddMessages($input: AddMessagesInput!) {
  addMessages(input: $input) {
    messages {
      id
      sequence
      role
      text
    }
    session {
      messageCount
      preview
      eventCursor
    }
    userErrors {
      code
      message
      path
    }
  }
}
""",
        variables={
            "input": {
                "sessionId": SESSION_ID,
                "messages": [
                    {"role": "USER", "parts": [{"text": {"text": "Hello from GraphiQL"}}]},
                ],
            }
        },
    ),
    Example(
        query="""\
# Every change after the cursor, in order, none
# missed and none twice. Run AddMessages in a
# second window to see one arrive.
subscription SessionEvents($sessionId: ID!, $after: String) {
  sessionEvents(sessionId: $sessionId, after: $after) {
    __typename
    cursor
    ... on MessageAdded {
      message {
        sequence
        role
        text
      }
    }
  }
}
""",
        variables={"sessionId": SESSION_ID, "after": EVENT_CURSOR},
    ),
)
