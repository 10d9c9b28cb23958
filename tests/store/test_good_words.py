"""What the record knows of good news to a family, for a draft."""

from datetime import date, timedelta

import pytest
from sqlmodel import Session

from autoresponder.grow import Known
from classifier.verdict import Letter, Opinion
from connectors.labels import Label
from store.cases import Cases
from store.contact_tables import Contact, ContactKind, ContactSource, ContactTone
from store.roster_tables import RosterAddress, RosterCare, RosterPerson
from tests.service.cases_of_maple import cases, conflict
from tests.service.maple import ANA, BO, OKAFOR, RIVERA, Maple
from tests.service.test_delivery import connected


class BodySays:
    def read(self, letter: Letter) -> Opinion | None:
        positive = "well done" in letter.body.lower()
        return Opinion(score=0.9 if positive else 0.1, positive=positive, model="the body says")


@pytest.fixture
def maple() -> Maple:
    school = connected()
    school.judge = BodySays()
    conflict(school)
    return school


def known(maple: Maple, mailbox: str = RIVERA) -> Known:
    family = cases(maple)[0].case.family
    return Cases(maple.database).known(mailbox, family, maple.settings.school.zone, before=maple.clock())


def later(maple: Maple, days: int = 1) -> date:
    """Days pass. Returns the day that it was."""
    today = maple.clock().date()
    maple.round()
    maple.clock.forward(days=days)
    return today


def logs(maple: Maple, on_day: date, **more: object) -> None:
    facts: dict[str, object] = {
        "reference": f"call {on_day}",
        "mailbox": RIVERA,
        "student": "mia",
        "on_day": on_day,
        "kind": ContactKind.CALL,
        "tone": ContactTone.GOOD_NEWS,
        "reached": True,
        "source": ContactSource.PAGE,
        "logged_at": maple.clock(),
    }
    with Session(maple.database.engine) as session:
        session.merge(RosterPerson(id="mia", kinds="student", given_name="Mia", family_name="Okafor"))
        session.merge(RosterPerson(id="ana", kinds="guardian", given_name="Ana", family_name="Okafor"))
        session.commit()
        session.add_all([RosterAddress(address=ANA, person="ana"), RosterCare(student="mia", guardian="ana")])
        session.add(Contact(**(facts | more)))
        session.commit()


def test_the_last_good_news_goes_before_what_the_family_thanked_for(maple: Maple) -> None:
    maple.teacher_writes("Please bring the form.")
    thanked = later(maple)
    maple.write("thanks", body="Thank you so much!")
    maple.round()
    maple.clock.forward(hours=1)
    assert known(maple) == Known(
        last_positive_contact=thanked, was_good_news=False, earlier_cases=known(maple).earlier_cases
    )
    maple.teacher_writes("Well done, Mia!")
    first = later(maple)
    maple.teacher_writes("Well done again!")
    last = later(maple)
    assert first < last
    assert (known(maple).last_positive_contact, known(maple).was_good_news) == (last, True)


def test_what_the_teacher_says_is_no_good_news_is_none(maple: Maple) -> None:
    message = maple.teacher_writes("Well done, Mia!")
    later(maple)
    maple.round()
    assert known(maple).was_good_news
    maple.relabel(message)
    maple.round()
    assert known(maple).last_positive_contact is None
    maple.relabel(message, Label.GOOD_NEWS)
    maple.round()
    assert known(maple).was_good_news


def test_a_circular_and_what_others_wrote_and_what_went_to_others_is_not_theirs(maple: Maple) -> None:
    maple.teacher_writes("Well done, all!", *(f"family{number}@family.example" for number in range(5)), ANA)
    maple.teacher_writes("Well done, Bo!", BO)
    maple.teacher_writes("Well done, Mia!", address=OKAFOR)
    later(maple)
    assert known(maple) == Known(earlier_cases=known(maple).earlier_cases)


def test_good_news_from_before_the_mailbox_was_connected_counts() -> None:
    maple = Maple(teachers=(RIVERA,))
    maple.judge = BodySays()
    maple.teacher_writes("Well done, Mia!", "Ana+school@family.example")
    day = later(maple)
    conflict(maple)
    assert (known(maple).last_positive_contact, known(maple).was_good_news) == (day, True)


def test_a_logged_call_with_good_news_counts_unless_it_was_withdrawn_or_comes_later(maple: Maple) -> None:
    today = maple.clock().date()
    maple.clock.forward(days=9)
    for number, more in enumerate(
        ({"tone": ContactTone.NEUTRAL}, {"withdrawn_at": maple.clock()}, {"mailbox": OKAFOR}, {"student": "leo"})
    ):
        logs(maple, today + timedelta(days=4 + number), **more)
    assert known(maple).last_positive_contact is None
    logs(maple, today + timedelta(days=9), reference="the day itself")
    assert known(maple).last_positive_contact is None
    logs(maple, today + timedelta(days=3), reference="counts")
    assert (known(maple).last_positive_contact, known(maple).was_good_news) == (today + timedelta(days=3), True)
