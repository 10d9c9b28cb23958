"""The names that mail goes by."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresponder.identifiers import (
    derived_message_id,
    fingerprint,
    is_own_message_id,
    message_id_behind,
    original_key,
    thread_id,
)
from autoresponder.replies import reply_message_id
from autoresponder.routes import route_message_id
from connectors.message import Address
from tests.autoresponder.sample import ORIGINAL, TEACHER, original

KEY = b"k" * 32
DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


def test_a_derived_id_is_the_same_in_every_version_and_on_every_machine() -> None:
    assert (
        derived_message_id("one@family.example", "reply", "rivera@maple.example")
        == "alliance.reply.aebe7485aaeff4481a7fc409afdae7d2@maple.example"
    )


@given(st.text(), st.sampled_from(["reply", "route"]))
def test_a_derived_id_is_valid_and_recognised_as_ours(key: str, kind: str) -> None:
    derived = derived_message_id(key, "reply" if kind == "reply" else "route", "Rivera@Maple.example")
    left, _, right = derived.partition("@")
    assert DOT_ATOM.fullmatch(left)
    assert right == "maple.example"
    assert is_own_message_id(derived)
    assert is_own_message_id(f" <{derived.upper()}> ", {"maple.example"})
    assert not is_own_message_id(derived, {"other.example"})


@given(st.text(), st.sampled_from(["reply", "route"]))
def test_a_thread_id_is_ours_is_no_message_id_and_leads_back_to_one(key: str, kind: str) -> None:
    derived = derived_message_id(key, "reply" if kind == "reply" else "route", "rivera@maple.example")
    thread = thread_id(derived)
    assert thread != derived
    assert is_own_message_id(thread)
    assert message_id_behind(f"<{thread.upper()}>") == message_id_behind(thread) == derived
    assert message_id_behind(derived) == derived


@given(st.text())
def test_an_identifier_of_somebody_elses_stays_what_it_is(foreign: str) -> None:
    assert thread_id(foreign) == message_id_behind(foreign) == foreign


def test_a_draft_that_a_teacher_sends_is_the_teachers_own_mail() -> None:
    assert not is_own_message_id(derived_message_id("a key", "draft", "rivera@maple.example"))


def test_replies_routes_mailboxes_and_originals_all_have_ids_of_their_own() -> None:
    ids = {
        derived_message_id(key, "reply" if kind == "reply" else "route", mailbox)
        for key in ("one", "two")
        for kind in ("reply", "route")
        for mailbox in ("rivera@maple.example", "okafor@maple.example")
    }
    assert len(ids) == 8
    assert reply_message_id(original(), TEACHER) != route_message_id(original(), TEACHER)


def test_an_international_domain_stands_in_its_ascii_form() -> None:
    assert derived_message_id("one", "reply", "a@schüle.example").endswith("@xn--schle-mva.example")


@pytest.mark.parametrize("mailbox", ["rivera", "rivera@", "rivera@a b", "rivera@..."])
def test_a_mailbox_without_a_usable_domain_is_refused(mailbox: str) -> None:
    with pytest.raises(ValueError, match="domain"):
        derived_message_id("one", "reply", mailbox)


@pytest.mark.parametrize("foreign", ["", "one@family.example", "alliance.reply.12@maple.example", "x" * 5000])
def test_other_ids_are_not_ours(foreign: str) -> None:
    assert not is_own_message_id(foreign)


def test_a_mail_of_which_only_the_beginning_was_read_has_the_key_of_the_whole() -> None:
    assert original_key(original(ORIGINAL[:-10])) == original_key(original())


def test_another_mail_under_the_same_message_id_has_another_key() -> None:
    assert original_key(original(ORIGINAL.replace(b"Field trip", b"Custody"))) != original_key(original())
    assert original_key(original(ORIGINAL.replace(b"12:04", b"12:05"))) != original_key(original())


def test_mail_without_a_message_id_has_one_key_whatever_number_the_server_gives_it() -> None:
    nameless = replace(original(), message_id=None)
    assert original_key(replace(nameless, id="renumbered")) == original_key(nameless)
    later = replace(nameless, received_at=nameless.received_at + timedelta(days=1))
    assert original_key(later) != original_key(nameless)


def test_one_mail_in_two_mailboxes_has_one_fingerprint() -> None:
    there = original()
    here = replace(
        there,
        mailbox="okafor@maple.example",
        id="99",
        received_at=there.received_at + timedelta(seconds=40),
        newest="When  does the\nbus leave?\n",
    )
    assert fingerprint(here, KEY) == fingerprint(there, KEY)


def test_what_somebody_else_wrote_or_wrote_later_has_another_fingerprint() -> None:
    first = original()
    assert first.date is not None
    others = [
        replace(first, newest="When does the bus come back?"),
        replace(first, subject="Bus"),
        replace(first, sender=Address("ana.torres@family.example")),
        replace(first, sender=None),
        replace(first, date=first.date + timedelta(seconds=1)),
    ]
    assert len({fingerprint(message, KEY) for message in [first, *others]}) == 6


def test_two_mails_without_a_date_are_two_mails() -> None:
    undated = replace(original(), date=None, message_id=None)
    later = replace(undated, received_at=undated.received_at + timedelta(days=1))
    assert fingerprint(undated, KEY) != fingerprint(later, KEY)


def test_parts_cannot_be_shifted_into_each_other() -> None:
    one = replace(original(), subject="a b", newest="c")
    other = replace(original(), subject="a", newest="b c")
    assert fingerprint(one, KEY) != fingerprint(other, KEY)


def test_without_the_key_a_guess_cannot_be_confirmed() -> None:
    assert fingerprint(original(), KEY) != fingerprint(original(), b"j" * 32)


@pytest.mark.parametrize("key", [b"", b"short", b"k" * 65])
def test_a_key_that_protects_nothing_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        fingerprint(original(), key)


@given(st.text(alphabet=st.characters(codec=None)))
def test_any_text_can_be_fingerprinted(text: str) -> None:
    assert len(fingerprint(replace(original(), newest=text, subject=text), KEY)) == 32
