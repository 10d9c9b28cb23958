"""The charts: what they say, in words and in drawings, and what they never do."""

import http.server
import json
import re
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import pytest
import vl_convert
from hypothesis import given
from hypothesis import strategies as st

from autoresponder.wording import OFFICE, STAFF_LANGUAGES, Wording, wording
from scorecard import drawing
from scorecard.chart_style import EVERY_COLOUR, FONT
from scorecard.charts import MOST_SMALL, Chart, by_group, trend
from scorecard.group_charts import days_to_a_plan, recovered
from scorecard.report import Group, GroupFigures, Indicator, Report, Resolution, Share
from scorecard.saying import NO_FIGURE, Turn, said, whole_percent
from service.web.rendering import STATIC
from store.scorecard_tables import Grouping
from tests.scorecard.sample_report import EVERYBODY, GRADES, SPRING, TINY, figures, sample_report, weeks

ENGLISH = wording("en", OFFICE)
FIRST, TWO_WAY = Indicator.FIRST_CONTACT, Indicator.TWO_WAY
SVG = "{http://www.w3.org/2000/svg}"


def grades(report: Report) -> list[GroupFigures]:
    return [each for each in report.groups if each.group.grouping is Grouping.GRADE]


def every_chart(report: Report, words: Wording = ENGLISH) -> list[Chart]:
    """All that a page of everybody shows."""
    whole = report.groups[0]
    charts = (
        trend(FIRST, whole, report, words),
        trend(TWO_WAY, whole, report, words),
        by_group(FIRST, grades(report), report, words),
        by_group(TWO_WAY, grades(report), report, words),
        days_to_a_plan([whole, *grades(report)], report, words),
        recovered([whole, *grades(report)], report, words),
    )
    return [chart for chart in charts if chart is not None]


def values(chart: Chart) -> list[dict[str, object]]:
    """The figures that stand in a specification."""
    found: list[dict[str, object]] = json.loads(chart.spec)["data"]["values"]
    return found


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ET.fromstring(svg).iter(f"{SVG}text")]


class TestWhatTheyShow:
    def test_a_trend_has_a_point_a_week_for_each_term_and_says_where_it_stands(self) -> None:
        chart = trend(FIRST, sample_report().groups[0], sample_report(), ENGLISH)
        assert chart is not None
        assert [each["percent"] for each in values(chart) if each["term"] == "Fall 2026"][-1] == 80
        assert len([each for each in values(chart) if each["term"] == "Spring 2026"]) == 20
        assert chart.summary == (
            "From 28% in the first week to 80% in week 10. In Spring 2026 it was 74% in the same week."
        )
        assert chart.rows[3] == ("4", "Sep 21", "159 of 212", "75%", "69%")
        assert len(chart.rows) == 10
        drawn = texts(drawing.svg(chart))
        assert {"Fall 2026", "Spring 2026", "80%", "end of week 4", "School week"} <= set(drawn)

    def test_only_the_first_contact_has_the_line_of_the_fourth_week(self) -> None:
        chart = trend(TWO_WAY, sample_report().groups[0], sample_report(), ENGLISH)
        assert chart is not None
        assert "end of week 4" not in texts(drawing.svg(chart))

    def test_the_fourth_week_with_school_is_marked_where_the_term_has_it(self) -> None:
        report = sample_report()
        late = replace(report, term=replace(report.term, fourth_week_ends=report.groups[0].weeks[5].monday))
        chart = trend(FIRST, late.groups[0], late, ENGLISH)
        assert chart is not None
        marked = [layer["data"]["values"] for layer in json.loads(chart.spec)["layer"] if "data" in layer]
        assert marked[0] == [{"week": 6}]

    def test_without_a_term_before_there_is_one_line_and_no_column_for_another(self) -> None:
        report = replace(sample_report(), before=None, groups_before=())
        charts = every_chart(report)
        assert len(charts) == 6
        for chart in charts:
            assert "Spring 2026" not in chart.spec
            assert "Spring 2026" not in chart.columns
            assert {len(row) for row in chart.rows} == {len(chart.columns)}

    def test_two_terms_of_one_name_are_told_apart(self) -> None:
        report = sample_report()
        report = replace(report, before=replace(SPRING, title=report.term.title))
        chart = trend(FIRST, report.groups[0], report, ENGLISH)
        assert chart is not None
        assert {each["term"] for each in values(chart)} == {"Fall 2026", "Fall 2026 before"}

    def test_two_groups_of_one_name_are_two_rows(self) -> None:
        report = sample_report()
        twin = figures(Group(Grouping.GRADE, "north/03", "Grade 3"), 40, days=(9, 9, 9))
        chart = days_to_a_plan([grades(report)[0], twin], report, ENGLISH)
        assert chart is not None
        assert [row[0] for row in chart.rows] == ["Grade 3 (/03)", "Grade 3 (north/03)"]

    def test_of_many_groups_the_small_charts_show_some(self) -> None:
        report = sample_report()
        many = [figures(Group(Grouping.SCHOOL, f"s{n}", f"School {n}"), 50) for n in range(40)]
        chart = by_group(FIRST, many, report, ENGLISH)
        assert chart is not None
        assert len({each["group"] for each in values(chart)}) == MOST_SMALL

    def test_a_table_has_the_figures_of_its_chart(self) -> None:
        for chart in every_chart(sample_report()):
            assert {len(row) for row in chart.rows} == {len(chart.columns)}, chart.key
            assert all(cell for row in chart.rows for cell in row), chart.key

    def test_days_and_shares_stand_beside_those_of_the_term_before(self) -> None:
        report = sample_report()
        plan = days_to_a_plan([report.groups[0], *grades(report)], report, ENGLISH)
        back = recovered([report.groups[0], *grades(report)], report, ENGLISH)
        assert plan is not None
        assert back is not None
        assert plan.rows[0] == ("Everybody", "9 (2 open)", "3", "3.6", "4", "4.5")
        assert plan.rows[-1] == ("Grade 6", "9 (9 open)", "5", "5.2", NO_FIGURE, "5")
        assert back.rows[1] == ("Grade 3", "11 of 12", "92%", "75%")

    def test_nothing_to_show_is_no_chart(self) -> None:
        report = sample_report()
        empty = GroupFigures(EVERYBODY, families=50, weeks=weeks(report.term, 0, [0, 0], [0, 0]))
        assert trend(FIRST, empty, report, ENGLISH) is None
        assert by_group(FIRST, [empty, empty], report, ENGLISH) is None
        assert days_to_a_plan([empty], report, ENGLISH) is None
        assert recovered([empty], report, ENGLISH) is None

    @pytest.mark.parametrize("language", STAFF_LANGUAGES)
    def test_they_speak_the_languages_of_the_staff(self, language: str) -> None:
        for chart in every_chart(sample_report(), wording(language, OFFICE)):
            said_there = {chart.title, chart.summary, *chart.columns, *texts(drawing.svg(chart))}
            if language == "es":
                assert not {"School week", "end of week 4", "Group", "Everybody", "Median"} & said_there
                assert not any(re.search(r"\d%", each) for each in said_there)


class TestWhatIsWithheld:
    def leaky(self) -> Report:
        """A report in which what is withheld is not even empty: nothing of it may be drawn all the same."""
        report = sample_report()
        secret = replace(figures(TINY, 7, good=43, wrote=29, days=(7.7, 7.7, 7.7), back=(3, 7, 0)), withheld=True)
        hidden = figures(GRADES[0], 58, good=43, wrote=29, days=(7.7, 7.7, 7.7), back=(3, 7, 0))
        hidden = replace(hidden, hidden=frozenset(Indicator))
        groups = [report.groups[0], hidden, *report.groups[2:5], secret]
        return replace(report, groups=groups, groups_before=[*report.groups_before, replace(secret)])

    def test_no_number_of_it_stands_in_a_chart_a_table_or_a_sentence(self) -> None:
        report = self.leaky()
        for chart in every_chart(report):
            assert "Grade 7" not in chart.spec + str(chart.rows)
            assert "Grade 3" not in chart.spec + str(chart.rows)
            assert "7.7" not in chart.spec + str(chart.rows)
        for each in report.groups:
            for indicator in Indicator:
                told = said(indicator, each, report, ENGLISH)
                assert told.withheld is (each.withheld or indicator in each.hidden)
                if told.withheld:
                    assert told.figure == NO_FIGURE
                    assert not re.search(r"\d", told.sentence.replace("fewer than 10 families", ""))
                    assert (told.comparison, told.turn) == ("", Turn.NONE)

    def test_what_was_withheld_the_term_before_is_no_comparison(self) -> None:
        report = sample_report()
        before = [replace(each, hidden=frozenset(Indicator)) for each in report.groups_before]
        report = replace(report, groups_before=before)
        for chart in every_chart(report):
            assert not any(str(each.get("term")) == "Spring 2026" for each in values(chart))
        for indicator in Indicator:
            told = said(indicator, report.groups[0], report, ENGLISH)
            assert told.comparison == "Nothing to compare with in Spring 2026."


class TestDrawing:
    def test_the_same_figures_give_the_same_drawing(self) -> None:
        for one, other in zip(every_chart(sample_report()), every_chart(sample_report()), strict=True):
            assert one.spec == other.spec
            assert drawing.svg(one) == drawing.svg(other)
        fresh = {
            chart.key: vl_convert.vegalite_to_svg(chart.spec, vl_version="5.21")
            for chart in every_chart(sample_report())
        }
        again = {
            chart.key: vl_convert.vegalite_to_svg(chart.spec, vl_version="5.21")
            for chart in every_chart(sample_report())
        }
        assert fresh == again

    def test_a_drawing_has_no_style_no_script_no_link_and_one_name(self) -> None:
        for chart in every_chart(sample_report()):
            svg = drawing.svg(chart, prefix="all-")
            tree = ET.fromstring(svg)
            for element in tree.iter():
                assert element.tag.removeprefix(SVG) in {"svg", "g", "path", "line", "text", "rect", "title", "desc"}
                assert not {"style", "href", "onclick"} & {name.rpartition("}")[2] for name in element.attrib}
            assert [each.attrib["id"] for each in tree.iter() if "id" in each.attrib] == [
                f"all-{chart.key}-title",
                f"all-{chart.key}-summary",
            ]
            assert tree.attrib["role"] == "img"
            assert (tree[0].text, tree[1].text) == (chart.title, chart.summary)

    def test_every_colour_has_another_value_in_the_page_s_style_sheet(self) -> None:
        styles = STATIC.joinpath("scorecard.css").read_text("utf-8")
        for chart in every_chart(sample_report()):
            used = set(re.findall(r'(fill|stroke)="(#[0-9a-f]+)"', drawing.svg(chart)))
            assert {colour for _, colour in used} <= set(EVERY_COLOUR), chart.key
            for attribute, colour in used:
                assert f'.chart [{attribute}="{colour}"]' in styles, (chart.key, attribute, colour)

    def test_terms_differ_by_more_than_colour(self) -> None:
        chart = trend(FIRST, sample_report().groups[0], sample_report(), ENGLISH)
        assert chart is not None
        lines = [each for each in ET.fromstring(drawing.svg(chart)).iter(f"{SVG}path") if "d" in each.attrib]
        dashes = {
            each.attrib.get("stroke"): each.attrib.get("stroke-dasharray") for each in lines if "stroke" in each.attrib
        }
        assert len(set(dashes.values())) > 1

    def test_the_font_comes_with_the_engine_and_is_as_wide_without_any_other(self) -> None:
        chart = trend(FIRST, sample_report().groups[0], sample_report(), ENGLISH)
        assert chart is not None
        fonts = {each.attrib["font-family"] for each in ET.fromstring(drawing.svg(chart)).iter(f"{SVG}text")}
        assert fonts == {FONT}
        assert FONT.startswith("Liberation Sans")

    def test_a_picture_is_a_png_twice_as_wide_as_it_is_shown(self) -> None:
        chart = trend(FIRST, sample_report().groups[0], sample_report(), ENGLISH)
        assert chart is not None
        png = drawing.png(chart)
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
        assert int.from_bytes(png[16:20]) >= 2 * 400
        assert png == drawing.png(chart)
        assert len(png) < 120_000

    def test_what_was_drawn_is_not_drawn_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        chart = trend(TWO_WAY, sample_report().groups[0], sample_report(), ENGLISH)
        assert chart is not None
        first = drawing.svg(chart)
        monkeypatch.setattr(vl_convert, "vegalite_to_svg", None)
        assert drawing.svg(chart) == first

    def test_it_fetches_nothing_from_anywhere(self, asked: list[str], server: str) -> None:
        for chart in every_chart(sample_report()):
            assert not re.search(r"https?://(?!vega\.github\.io/schema/)", chart.spec)
        chart = every_chart(sample_report())[0]
        spec = {**json.loads(chart.spec), "data": {"url": f"{server}/figures.json"}}
        with pytest.raises(ValueError, match="not allowed"):
            drawing.svg(replace(chart, spec=json.dumps(spec)))
        assert asked == []

    def test_a_title_cannot_bring_markup_into_the_page(self) -> None:
        report = sample_report()
        evil = Group(Grouping.GRADE, "/x", '</svg><script>alert("x")</script>')
        groups = [figures(evil, 40), grades(report)[0]]
        for chart in (by_group(FIRST, groups, report, ENGLISH), recovered(groups, report, ENGLISH)):
            assert chart is not None
            svg = drawing.svg(chart)
            assert "<script" not in svg
            assert "script" in "".join(chain(texts(svg), [chart.summary]))


@pytest.fixture
def asked() -> list[str]:
    """The paths that somebody asked the server for."""
    return []


@pytest.fixture
def server(asked: list[str]) -> Iterator[str]:
    """A server that notes who asks."""

    class Notes(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Notes) as serving:
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()
        thread.join()


class TestInWords:
    def test_a_figure_says_so_many_of_so_many_and_how_that_compares(self) -> None:
        report = sample_report()
        told = said(FIRST, report.groups[0], report, ENGLISH)
        assert (told.figure, told.sentence) == ("80%", "170 of 212 families had good news by the end of week 4.")
        assert told.comparison == "6 points more than in Spring 2026 at the same time."
        assert told.turn is Turn.BETTER
        slow = said(Indicator.RESOLUTION, report.groups[0], report, ENGLISH)
        assert (slow.figure, slow.unit) == ("3", "school days")
        assert slow.comparison == "Faster than in Spring 2026, by 1.5 school days."
        assert slow.turn is Turn.BETTER

    def test_a_running_term_is_compared_with_the_same_week_and_not_with_a_whole_term(self) -> None:
        report = sample_report()
        early = figures(EVERYBODY, 212, wrote=50, long=3)
        whole_term = report.before_of(EVERYBODY)
        assert whole_term is not None
        third = whole_percent(whole_term.weeks[2].two_way)
        assert whole_percent(early.two_way) == 50
        assert third is not None
        assert whole_percent(whole_term.two_way) == 55
        told = said(TWO_WAY, early, replace(report, groups=[early]), ENGLISH)
        assert told.comparison == f"{50 - third} points more than in Spring 2026 at the same time."

    def test_before_week_four_is_over_it_says_when_it_is(self) -> None:
        report = sample_report()
        early = replace(report, as_of=report.as_of.replace(month=9, day=10))
        sentence = said(FIRST, early.groups[0], early, ENGLISH).sentence
        assert sentence == "170 of 212 families have had good news so far. Week 4 ends on Sunday, September 27."

    @pytest.mark.parametrize(
        ("resolution", "sentence"),
        [
            (Resolution(0, 0), "No conflict began in this term."),
            (
                Resolution(0, 4),
                "Plans agreed: 0. Still open: 4. With the open ones counted in, fewer than half have a plan.",
            ),
            (Resolution(3, 0, 2.0, 2.0, 2.0), "Plans agreed: 3. Still open: 0. On average 2 school days."),
        ],
    )
    def test_conflicts_are_said_whatever_there_is_of_them(self, resolution: Resolution, sentence: str) -> None:
        report = sample_report()
        group = replace(report.groups[0], resolution=resolution)
        assert said(Indicator.RESOLUTION, group, report, ENGLISH).sentence == sentence

    def test_nothing_to_count_is_said_and_is_no_zero(self) -> None:
        report = replace(sample_report(), before=None)
        empty = GroupFigures(EVERYBODY)
        for indicator in Indicator:
            told = said(indicator, empty, report, ENGLISH)
            assert (told.figure, told.comparison, told.turn) == (NO_FIGURE, "", Turn.NONE)

    @given(st.integers(0, 500), st.integers(1, 500))
    def test_a_hundred_percent_is_all_and_none_is_none(self, met: int, more: int) -> None:
        of = met + more - 1
        whole = whole_percent(Share(met, of))
        if not of:
            assert whole is None
        else:
            assert (whole == 100) is (met == of)
            assert (whole == 0) is (met == 0)
            assert whole is not None
            assert abs(whole - 100 * met / of) <= 1
