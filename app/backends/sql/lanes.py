"""Which commits go into a transaction together: a lane for each session, and who is next.

A lane is in one transaction at a time, so that the commits of a session keep their order. Jobs
that only add messages and set fields share transactions with those of other sessions. All others
get one of their lane's own, and so do those whose session somebody else held: there they can wait
for it, and nobody waits with them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from app.backends.sql.together import is_drafted
from app.backends.sql.writer import GROUP_SIZE, Job, next_group


@dataclass(slots=True, eq=False)
class Lane:
    """The jobs of one session that wait, first come first served."""

    name: object
    waiting: deque[Job] = field(default_factory=deque)
    alone: bool = False
    """Whether the next job needs a transaction of its own."""


@dataclass(frozen=True, slots=True)
class Group:
    """What one transaction is to carry out; if `shared`, sessions side by side, none waited for."""

    lanes: tuple[tuple[Lane, list[Job]], ...]
    shared: bool

    @property
    def jobs(self) -> list[Job]:
        """The jobs of all lanes."""
        return [job for _, jobs in self.lanes for job in jobs]


class Lanes:
    """All lanes that have jobs: under way, waiting for company, waiting for their own turn."""

    def __init__(self) -> None:
        self._lanes: dict[object, Lane] = {}
        self._sharing: deque[Lane] = deque()
        self._alone: deque[Lane] = deque()

    def add(self, job: Job) -> None:
        """Puts a job into the lane of its session; one of several sessions has its own."""
        mine = {commit.session_id for commit in job.commits}
        name: object = mine.pop() if len(mine) == 1 else job.done
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name)
            lane.waiting.append(job)
            self._queue(lane)
        else:
            lane.waiting.append(job)

    def next_shared(self) -> Group | None:
        """Takes the jobs of the next transaction of many sessions, None where there are none."""
        return self._next(self._sharing, shared=True)

    def next_alone(self) -> Group | None:
        """Takes the jobs of the next transaction of one lane, None where there are none."""
        return self._next(self._alone, shared=False)

    def _next(self, queue: deque[Lane], *, shared: bool) -> Group | None:
        taken: list[tuple[Lane, list[Job]]] = []
        size = 0
        while queue and (not taken or (shared and size < GROUP_SIZE)):
            lane = queue.popleft()
            if shared:
                jobs = next_group(lane.waiting, GROUP_SIZE - size, _may_share)
            else:
                jobs = next_group(lane.waiting)
            size += sum(len(job.commits) for job in jobs)
            taken.append((lane, jobs))
        return Group(tuple(taken), shared) if taken else None

    def put_back(self, lane: Lane, jobs: list[Job]) -> None:
        """Returns jobs that were not carried out to the front of their lane, to go on alone."""
        lane.waiting.extendleft(reversed(jobs))
        lane.alone = True

    def finish(self, group: Group) -> None:
        """Lets the lanes of a group go on with what has come meanwhile."""
        for lane, _ in group.lanes:
            if lane.waiting:
                self._queue(lane)
            else:
                del self._lanes[lane.name]

    def _queue(self, lane: Lane) -> None:
        alone = lane.alone or not _may_share(lane.waiting[0])
        lane.alone = False
        (self._alone if alone else self._sharing).append(lane)


def _may_share(job: Job) -> bool:
    """Answers whether a job is done or not done as a whole when its session is."""
    session_id = job.commits[0].session_id
    return all(is_drafted(one) and one.session_id == session_id for one in job.commits)
