"""Ids that cross borders."""

import time
import uuid

from eventbus import ids


def test_ids_sort_by_when_they_were_drawn_one_by_one_or_many_at_once() -> None:
    begun = time.time_ns() // 1_000_000

    drawn = [ids.uuid7(), *ids.uuid7s(1), *ids.uuid7s(5_000), ids.uuid7()]

    assert drawn == sorted(drawn)
    assert len(set(drawn)) == 5_003
    assert {(one.version, one.variant) for one in drawn} == {(7, uuid.RFC_4122)}
    # 5,000 ids are more than a millisecond has: the last ones are a millisecond or two ahead.
    assert all(begun <= one.int >> 80 <= time.time_ns() // 1_000_000 + 2 for one in drawn)


def test_none_are_drawn_for_nothing() -> None:
    assert ids.uuid7s(0) == []


def test_the_random_bits_of_ids_differ() -> None:
    many, singles = ids.uuid7s(1_000), [ids.uuid7() for _ in range(1_000)]

    for drawn in (many, singles):
        tails = {one.int & ((1 << 62) - 1) for one in drawn}
        assert len(tails) == 1_000
        for bit in range(62):  # 1,000 that are alike come once in 2 ** 999
            assert len({tail >> bit & 1 for tail in tails}) == 2


def test_an_id_as_text_is_what_everybody_else_writes() -> None:
    drawn = ids.uuid7s(3)

    assert ids.texts(drawn) == [ids.text(one) for one in drawn] == [str(one) for one in drawn]
    assert ids.texts(drawn[:1]) == [str(drawn[0])]
