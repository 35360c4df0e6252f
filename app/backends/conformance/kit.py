"""All groups of the kit in one class."""

from __future__ import annotations

from app.backends.conformance.capabilities import CapabilityTests
from app.backends.conformance.changes import ChangeTests
from app.backends.conformance.commit import CommitTests
from app.backends.conformance.directory import DirectoryTests
from app.backends.conformance.following import FollowingTests
from app.backends.conformance.fork import ForkTests
from app.backends.conformance.keys import KeyTests
from app.backends.conformance.lifecycle import LifecycleTests
from app.backends.conformance.log import LogTests
from app.backends.conformance.message_paging import MessagePagingTests
from app.backends.conformance.numbering import NumberingTests
from app.backends.conformance.search import SearchTests
from app.backends.conformance.session_paging import SessionPagingTests
from app.backends.conformance.transfer import TransferTests
from app.backends.conformance.visibility import VisibilityTests


class ConformanceTests(
    VisibilityTests,
    KeyTests,
    MessagePagingTests,
    SessionPagingTests,
    SearchTests,
    ChangeTests,
    CommitTests,
    NumberingTests,
    ForkTests,
    LogTests,
    TransferTests,
    FollowingTests,
    LifecycleTests,
    CapabilityTests,
    DirectoryTests,
):
    """Every test that a backend must pass."""
