"""A record is found by its number by halving the file, damage in it or not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from app.backends.files.record import encode_record, seed_of
from app.backends.files.segment import Segment
from app.backends.files.system import READ, System

SEED = seed_of("session", "epoch")


class CountingSystem(System):
    def __init__(self) -> None:
        self.reads = 0

    def pread(self, descriptor: int, size: int, offset: int) -> bytes:
        self.reads += 1
        return super().pread(descriptor, size, offset)


def write(path: Path, count: int, sizes: random.Random) -> list[bytes]:
    lines = [
        encode_record(
            {"role": "user", "content": "x" * sizes.choice([1, 40, 400, 90_000 // count])},
            number=number,
            durable=number - 1,
            more=False,
            seed=SEED,
        )
        for number in range(1, count + 1)
    ]
    path.write_bytes(b"".join(lines))
    return lines


def found(system: System, path: Path, number: int) -> bytes | None:
    with system.opened(path, READ) as descriptor:
        segment = Segment(system, descriptor, path.stat().st_size, SEED)
        for piece in segment.pieces(segment.seek(number)):
            if piece.stamp is not None and piece.stamp.number >= number:
                return piece.content if piece.stamp.number == number else None
    return None


@pytest.mark.parametrize("count", [1, 2, 30, 3000])
def test_every_record_is_found(tmp_path: Path, count: int) -> None:
    lines = write(tmp_path / "f", count, random.Random(count))
    for number in range(1, count + 1, max(1, count // 100)):
        assert found(System(), tmp_path / "f", number) == lines[number - 1][:-1]
    assert found(System(), tmp_path / "f", count + 1) is None


def test_a_record_far_back_costs_a_few_reads_and_not_the_file(tmp_path: Path) -> None:
    lines = write(tmp_path / "f", 100_000, random.Random(1))
    assert (tmp_path / "f").stat().st_size > 10 << 20
    system = CountingSystem()
    assert found(system, tmp_path / "f", 50_123) == lines[50_122][:-1]
    assert system.reads < 60


def test_damage_hides_no_other_record(tmp_path: Path) -> None:
    lines = write(tmp_path / "f", 2000, random.Random(2))
    chance = random.Random(3)
    damaged = set(chance.sample(range(1, 2001), 400))
    torn = [
        line[: len(line) // 2] + b"\xff" + line[len(line) // 2 + 1 :] if at in damaged else line
        for at, line in enumerate(lines, start=1)
    ]
    (tmp_path / "f").write_bytes(b"".join(torn))
    for number in range(1, 2001, 7):
        expected = None if number in damaged else lines[number - 1][:-1]
        assert found(System(), tmp_path / "f", number) == expected


def test_records_longer_than_a_block_are_found(tmp_path: Path) -> None:
    lines = [
        encode_record(
            {"role": "user", "content": "x" * 300_000},
            number=n,
            durable=n - 1,
            more=False,
            seed=SEED,
        )
        for n in range(1, 8)
    ]
    (tmp_path / "f").write_bytes(b"".join(lines))
    for number in range(1, 8):
        assert found(System(), tmp_path / "f", number) == lines[number - 1][:-1]
