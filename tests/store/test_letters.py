"""The tables of teachers' letters, where foreign keys are enforced."""

from datetime import timedelta

import pytest
from sqlmodel import Session, select

from classifier.verdict import Opinion
from connectors.mailbox import Direction
from store.contact_tables import Judgement, LetterRecipient
from store.database import Database
from store.letters import FamilyLetter, Word, hear
from store.pages import CursorMoved, Entry, Page, Pages
from store.scorecard_tables import Mark, MarkKind
from store.tables import MessageRecord
from tests.store.test_pages import BOX, NOW

LATER = NOW + timedelta(hours=1)
GLAD = Opinion(score=0.9, positive=True, model="m")


@pytest.fixture
def pages() -> Pages:
    pages = Pages(Database.in_memory())
    pages.connect(BOX, NOW)
    return pages


def sent(provider_id: str = "1", rfc: str | None = "a@maple.example", **more: object) -> MessageRecord:
    facts: dict[str, object] = {
        "mailbox": BOX,
        "provider_id": provider_id,
        "direction": Direction.SENT,
        "rfc_message_id": rfc,
        "fingerprint": "f",
        "thread": "t",
        "sender": BOX,
        "received_at": NOW,
        "recorded_at": NOW,
    }
    return MessageRecord(**(facts | more))  # type: ignore[arg-type]


def commit(pages: Pages, *entries: Entry, replaced: tuple[int, ...] = ()) -> None:
    cursor = pages.connect(BOX, NOW).cursor
    page = Page(BOX, cursor, f"{cursor}.", entries=entries, replaced=replaced, at=LATER)
    pages.commit(page)


def rows(pages: Pages) -> tuple[list[LetterRecipient], list[Judgement]]:
    with Session(pages.database.engine) as session:
        found = list(session.exec(select(LetterRecipient))), list(session.exec(select(Judgement)))
        session.expunge_all()
    return found


def letter(opinion: Opinion | None = GLAD) -> FamilyLetter:
    return FamilyLetter(("ana@family.example", "bo@family.example"), opinion)


def test_a_record_that_is_replaced_takes_its_rows_with_it_and_the_persons_word_stays(pages: Pages) -> None:
    commit(pages, Entry(sent(), letter=letter()), Entry(sent("2", "b@maple.example"), letter=letter()))
    with pages.database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        hear(connection, 1, Word(positive=False, by=BOX, at=LATER))
    again = [Entry(sent(), letter=letter()), Entry(sent("2", "b@maple.example"), letter=letter(None))]
    commit(pages, *again, replaced=(1, 2))
    recipients, judgements = rows(pages)
    assert len(recipients) == 4
    assert [(each.positive, each.by, each.at) for each in judgements] == [(False, BOX, LATER)]
    assert judgements[0].score == GLAD.score


def test_a_word_on_a_message_that_is_no_letter_any_more_stays(pages: Pages) -> None:
    commit(pages, Entry(sent(set_aside="no")))
    with pages.database.write() as connection:
        hear(connection, 1, Word(positive=True, by=BOX, at=LATER))
    commit(pages, Entry(sent(set_aside="no")), replaced=(1,))
    assert [(each.positive, each.by) for each in rows(pages)[1]] == [(True, BOX)]


@pytest.mark.parametrize("opinion", [GLAD, None])
def test_a_word_is_put_over_a_judgement_or_where_there_is_none(pages: Pages, opinion: Opinion | None) -> None:
    commit(pages, Entry(sent(), letter=letter(opinion)))
    for positive in (False, True, True):
        with pages.database.write() as connection:
            hear(connection, 1, Word(positive=positive, by=BOX, at=LATER))
        (judgement,) = rows(pages)[1]
        assert (judgement.positive, judgement.by, judgement.at) == (positive, BOX, LATER)
        assert judgement.score == (None if opinion is None else opinion.score)


def test_every_change_is_marked_in_its_own_transaction(pages: Pages) -> None:
    def marks() -> set[tuple[MarkKind, str]]:
        """Those of the mail and of whom it went to; afterwards none."""
        with Session(pages.database.engine) as session:
            found = list(session.exec(select(Mark)))
            for each in found:
                session.delete(each)
            session.commit()
            told = {(each.kind, each.key) for each in found if each.key != BOX}
            return {each for each in told if each[0] in {MarkKind.ADDRESS, MarkKind.MESSAGE}}

    of_mail = {(MarkKind.MESSAGE, "1")}
    commit(pages, Entry(sent(), letter=letter()))
    assert marks() == of_mail
    with pages.database.write() as connection:
        hear(connection, 1, Word(positive=False, by=BOX, at=LATER))
    assert marks() == of_mail
    commit(pages, replaced=(1,))
    assert marks() == {(MarkKind.ADDRESS, "ana@family.example"), (MarkKind.ADDRESS, "bo@family.example")}
    commit(pages, Entry(sent(), letter=letter()))
    with pytest.raises(CursorMoved):
        pages.commit(Page(BOX, "another cursor", "x", entries=[Entry(sent("2"), letter=letter())], at=LATER))
    assert marks() == of_mail


@pytest.mark.parametrize("differs", [{"rfc": None}, {"rfc": "b@maple.example"}, {"fingerprint": "other"}])
def test_another_mail_inherits_no_word(pages: Pages, differs: dict[str, str | None]) -> None:
    commit(pages, Entry(sent(), letter=letter()))
    with pages.database.write() as connection:
        hear(connection, 1, Word(positive=False, by=BOX, at=LATER))
    commit(pages, Entry(sent("2", **differs), letter=letter()))  # type: ignore[arg-type]
    assert [each.positive for each in rows(pages)[1]] == [False, True]
    commit(pages, Entry(sent("3"), letter=letter()))
    assert [each.positive for each in rows(pages)[1]] == [False, True, False]
