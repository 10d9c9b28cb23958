"""The scorecard as one file: for whoever looks without the service, as the demonstration does."""

from zoneinfo import ZoneInfo

from markupsafe import Markup

from autoresponder.routes import PRODUCT
from autoresponder.wording import OFFICE, wording
from scorecard.report import Group, Indicator, Report
from scorecard.saying import as_of
from service.web.rendering import STATIC, environment
from service.web.scorecard_view import Paths, anchor_of, groups_shown, view_of
from store.scorecard_tables import Grouping

_STYLES = ("office.css", "scorecard.css")


def scorecard_as_file(report: Report, *, language: str = "en", zone: ZoneInfo | None = None) -> str:
    """The scorecard's page with a page for each group below it, as one HTML document with styles and drawings inside:
    it loads nothing, and leads to no session. `language` is one of `STAFF_LANGUAGES`, `zone` the school's (that of
    `report.as_of` where left out). Holds what the report holds: protect it first, as everywhere."""
    words = wording(language, OFFICE)
    known = set(groups_shown(report))

    def group(each: Group) -> str:
        return f"#{anchor_of(each)}" if each in known else ""

    def events(_group: Group, _indicator: Indicator) -> str:
        return ""  # they are in the service, for those who may see them

    paths = Paths(group, events)
    pages = dict.fromkeys([Group(Grouping.ALL, ""), *groups_shown(report)])
    views = [view for each in pages if (view := view_of(each, report, words, paths)) is not None]
    template = environment().get_template("scorecard_file.html.j2")
    return template.render(
        words=words,
        _=words.gettext,
        school=report.school,
        product=PRODUCT,
        styles=Markup("\n").join(Markup(STATIC.joinpath(name).read_text("utf-8")) for name in _STYLES),  # noqa: S704
        views=views,
        as_of=as_of(report, words, zone),
    )
