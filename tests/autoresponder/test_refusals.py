"""Why a family got no note, in the words of the office."""

import pytest

from autoresponder.guards import Guard
from autoresponder.planner import STANDINGS
from autoresponder.refusals import why_no_note
from autoresponder.wording import OFFICE, STAFF_LANGUAGES, wording

TO_THE_OFFICE = [guard for guard, standing in STANDINGS.items() if standing.routed]


@pytest.mark.parametrize("guard", TO_THE_OFFICE, ids=lambda guard: guard.__name__)
def test_every_guard_that_leaves_urgent_mail_to_the_office_is_worded_in_each_of_its_languages(guard: Guard) -> None:
    said = {why_no_note(guard.__name__, "in English.", wording(language, OFFICE)) for language in STAFF_LANGUAGES}
    assert len(said) == len(STAFF_LANGUAGES)
    assert "in English." not in said


def test_what_was_put_on_record_before_guards_were_named_is_said_as_it_stands_there() -> None:
    assert why_no_note("", "It is empty.", wording("es", OFFICE)) == "It is empty."
