"""The grammar of Maildir file names."""

import os

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.maildir.names import Name, base_of, delivery_time, flags_of, message_id

FILE_NAMES = st.binary(min_size=1, max_size=40).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"").replace(b"/", b"")))
BASES = st.from_regex(r"[0-9]{1,10}\.[A-Za-z0-9_]{1,20}\.[a-z.]{1,20}", fullmatch=True)
FLAGS = st.text("DFPRSTabcz", max_size=8)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1.2.host", Name("1.2.host")),
        ("1.2.host:2,", Name("1.2.host")),
        ("1.2.host:2,FSa", Name("1.2.host", "FSa")),
        ("1.2.host:2,S,extra:x", Name("1.2.host", "S", ",extra:x")),
        ("1.2.host:1,old", Name("1.2.host")),
        ("1.2.host,S=10,W=11:2,T", Name("1.2.host,S=10,W=11", "T")),
        (":2,S", Name("", "S")),
    ],
)
def test_a_name_is_taken_apart_at_its_first_colon(name: str, expected: Name) -> None:
    assert Name.parse(name) == expected


@given(BASES, FLAGS, FLAGS)
def test_flags_are_written_once_each_in_ascii_order_and_change_no_id(base: str, before: str, after: str) -> None:
    old = f"{base}:2,{before}"
    new = Name.parse(old).flagged(after)
    assert flags_of(new) == "".join(sorted(set(after)))
    assert message_id(new) == message_id(old) == message_id(base)


def test_what_stands_behind_the_flags_is_kept() -> None:
    assert Name.parse("1.2.host:2,S,more").flagged("SF") == "1.2.host:2,FS,more"


@pytest.mark.parametrize("later", ["1.2.host,S=10", "1.2.host,S=10,W=11:2,S", "1.2.host,U=7:2,", "1.2.host:2,Sab"])
def test_fields_that_other_programs_add_later_do_not_make_another_message(later: str) -> None:
    assert message_id(later) == "1.2.host"


@pytest.mark.parametrize("other", ["1.2.host,a", "1.2.host,S=x", "1.3.host", "1.2.host,S="])
def test_other_names_are_other_messages(other: str) -> None:
    assert message_id(other) != "1.2.host"


@given(FILE_NAMES)
def test_an_id_is_printable_ascii_without_a_slash_and_stands_for_one_base(name: str) -> None:
    assume(name)
    id_ = message_id(name)
    assert id_.isascii()
    assert id_.isprintable()
    assert "/" not in id_
    assert name.startswith(base_of(id_))


@given(st.lists(FILE_NAMES.filter(lambda name: name and ":" not in name and "," not in name), unique=True))
def test_two_names_never_share_an_id(names: list[str]) -> None:
    assert len({message_id(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1491941793.M41850P8566V15.mx1,S=10956:2,STln", (1491941793, 41850)),
        ("1491941793.V801I4b3M56.host", (1491941793, 56)),
        ("1491941793.8566_1.host:2,", (1491941793, 0)),
        ("nothing", (0, 0)),
        ("12:2,M5", (0, 0)),
        ("9" * 40 + ".x", (0, 0)),
    ],
)
def test_the_delivery_time_is_read_off_a_name(name: str, expected: tuple[int, int]) -> None:
    assert delivery_time(name) == expected
