"""Whatever is sent to the pages, signed in as anybody or as nobody: never a fault of ours, never without the shield."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.web.cookies import SESSION
from service.web.shield import CONTENT_POLICY
from tests.service.maple import RIVERA
from tests.service.web.office_pages import COLE, REED, OfficePages, office_pages
from tests.service.web.school_pages import PARK

ROLES = ("", COLE, PARK, REED, RIVERA)
"""Nobody, the office, an administrator, a leader, a teacher."""
ODD = [
    "",
    "0",
    "-1",
    "1e9",
    "9" * 30,
    "../..",
    "%00",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "=1",
    "//evil.example",
]


@pytest.fixture(scope="module")
def pages() -> Iterator[OfficePages]:
    with office_pages() as made:
        made.maple.round()
        made.comes("urgent bus")
        yield made


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role or "nobody")
def test_no_request_is_answered_by_a_fault_of_ours(pages: OfficePages, role: str) -> None:
    schema = schemathesis.openapi.from_dict(pages.app.openapi())
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 10
    browser = pages.browser()
    session = pages.session_of(role) if role else ""
    odd = st.dictionaries(st.sampled_from(["at", "lang", "next", "term", "group", "kind", "q"]), st.sampled_from(ODD))

    @given(st.one_of([operation.as_strategy() for operation in operations]), odd, st.binary(max_size=200))
    @settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None, database=None)
    def asked(case: schemathesis.Case, more: dict[str, str], body: bytes) -> None:
        if session:
            browser.http.cookies.set(SESSION, session)
        else:
            browser.http.cookies.clear()
        query = {
            key: str(value).encode("utf-8", "replace").decode() for key, value in (case.query or {}).items()
        } | more
        form = {"content-type": "application/x-www-form-urlencoded"}
        answer = browser.http.request(
            case.method, case.formatted_path, params=query, content=body, headers=form if case.method == "POST" else {}
        )
        assert answer.status_code < 500, (case.method, case.formatted_path, query)
        assert answer.headers["content-security-policy"] == CONTENT_POLICY
        assert "<script>alert(1)" not in answer.text
        assert not answer.headers.get("location", "/").startswith(("//", "http://evil"))

    asked()
