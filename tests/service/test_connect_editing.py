"""A configuration is changed where it must change; comments, order and everything else stay as they are."""

import difflib
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Exchange, Gmail, Graph, ImapServer, MailboxSettings, MaildirFolder
from config.writing import as_toml
from service.connecting.editing import CannotEdit, changed, edited
from tests.service.maple import Maple

EXAMPLE = (Path(__file__).parents[2] / "docs" / "examples" / "alliance.toml").read_text()
RIVERA = MailboxSettings(address="rivera@maple.example", teacher="Ms. Rivera", connector="graph")
TRAN = MailboxSettings(address="tran@maple.example", teacher='Ms. "Tran"', connector="graph")
GRAPH = Graph(tenant="maple.example", client_id="an id")
FEW = '[school]\nname = "x"\n\n# the teachers\n[[mailboxes]]\naddress = "Rivera@Maple.example"\nteacher = "R" # hers\n'


def lines(before: str, after: str, sign: str) -> list[str]:
    """What was added (+) or taken away (-)."""
    return [line[2:] for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line.startswith(f"{sign} ")]


def test_saying_what_stands_there_already_changes_not_a_byte() -> None:
    once = edited(FEW, {"graph": GRAPH}, [RIVERA])
    assert edited(once, {"graph": GRAPH}, [RIVERA]) == once
    assert changed(once, {"graph": GRAPH}, [RIVERA]) == []


def test_a_new_table_comes_before_the_mailboxes_and_takes_nothing_away() -> None:
    after = edited(FEW, {"graph": GRAPH}, [RIVERA])
    assert lines(FEW, after, "-") == []
    assert after.index("[graph]") < after.index("# the teachers")
    assert after.endswith('teacher = "R" # hers\nconnector = "graph"\n')


def test_a_value_is_replaced_in_its_place_and_its_comment_stays() -> None:
    after = edited(EXAMPLE, {"graph": GRAPH}, [])
    taken = lines(EXAMPLE, after, "-")
    assert len(taken) == len(lines(EXAMPLE, after, "+")) <= 2
    assert after.count("#") == EXAMPLE.count("#")
    assert tomllib.loads(after)["graph"]["client_id"] == "an id"


def test_a_value_that_is_at_its_default_again_is_written_out() -> None:
    before = edited(FEW, {"graph": GRAPH.model_copy(update={"auth": "device-code"})}, [])
    after = edited(before, {"graph": GRAPH}, [])
    assert tomllib.loads(after)["graph"]["auth"] == "application"


def test_the_comment_behind_the_name_of_an_empty_table_stays_there() -> None:
    after = edited("[gmail]   # the school's\n" + FEW, {"gmail": Gmail(auth="oauth")}, [])
    assert after.startswith('[gmail]   # the school\'s\nauth = "oauth"\n')


def test_the_place_that_init_left_for_a_table_is_taken() -> None:
    settings = Maple().settings
    written = as_toml(settings)
    assert "\n# [gmail]\n" in written
    after = edited(written, {"gmail": Gmail(auth="oauth")}, [])
    assert "\n# [gmail]\n" not in after
    assert tomllib.loads(after)["gmail"] == {"auth": "oauth"}


def test_a_new_mailbox_begins_in_stage_observe_whatever_is_in_its_name() -> None:
    after = edited(FEW, {}, [TRAN])
    assert tomllib.loads(after)["mailboxes"][1] == {
        "address": TRAN.address,
        "teacher": 'Ms. "Tran"',
        "connector": "graph",
        "stage": "observe",
    }


def test_a_mailbox_with_tables_of_its_own_keeps_them() -> None:
    before = FEW + '[mailboxes.imap]\nhost = "imap.maple.example"\n\n[[mailboxes]]\naddress = "o@maple.example"\n'
    found = tomllib.loads(edited(before, {}, [RIVERA]))["mailboxes"]
    assert (found[0]["connector"], found[0]["imap"]["host"]) == ("graph", "imap.maple.example")
    assert "connector" not in found[1]


def test_a_maildir_is_written_where_none_stands() -> None:
    box = RIVERA.model_copy(update={"connector": "maildir", "maildir": MaildirFolder(path=Path("mail/rivera"))})
    after = edited(FEW, {}, [box])
    assert tomllib.loads(after)["mailboxes"][0]["maildir"] == {"path": "mail/rivera"}
    assert edited(after, {}, [box]) == after


def test_windows_line_ends_stay_and_the_file_is_read_the_same() -> None:
    before = FEW.replace("\n", "\r\n")
    after = edited(before, {"graph": GRAPH}, [RIVERA])
    assert tomllib.loads(after)["graph"]["client_id"] == "an id"
    assert after.startswith('[school]\r\nname = "x"\r\n')


@pytest.mark.parametrize(
    "way",
    [
        'graph = { tenant = "a", client_id = "b" }\n',
        'graph.tenant = "a"\ngraph.client_id = "b"\n',
    ],
)
def test_a_table_that_is_written_in_another_way_is_left_to_a_person_with_the_lines_to_write(way: str) -> None:
    with pytest.raises(CannotEdit, match=r'tenant = "maple\.example"'):
        edited(way + FEW, {"graph": GRAPH}, [])


def test_mailboxes_in_one_line_are_left_to_a_person() -> None:
    before = 'mailboxes = [{ address = "rivera@maple.example", teacher = "R" }]\n'
    with pytest.raises(CannotEdit, match='connector = "graph"'):
        edited(before, {}, [RIVERA])


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
tables = st.one_of(
    st.builds(Graph, tenant=texts, client_id=texts, auth=st.sampled_from(["application", "device-code"])),
    st.builds(Gmail, auth=st.sampled_from(["oauth", "service-account"]), timeout_seconds=st.floats(1, 300)),
    st.builds(
        Exchange, username=st.none() | texts, impersonation=st.booleans(), ca_file=st.none() | st.just(Path("a b"))
    ),
    st.builds(ImapServer, host=texts, port=st.none() | st.integers(1, 65535)),
)


@given(st.lists(tables, min_size=1, max_size=4), st.sampled_from([FEW, EXAMPLE, "", "# nothing\n", FEW.rstrip()]))
def test_after_any_row_of_changes_the_file_says_the_last_of_each_and_keeps_every_comment(
    wanted: list[Graph | Gmail | Exchange | ImapServer], before: str
) -> None:
    names = {Graph: "graph", Gmail: "gmail", Exchange: "exchange", ImapServer: "imap"}
    after = before
    for table in wanted:
        after = edited(after, {names[type(table)]: table}, [])
    said = tomllib.loads(after)
    for kind, name in names.items():
        last = next((table for table in reversed(wanted) if type(table) is kind), None)
        if last is not None:
            found = kind.model_validate(said[name])
            assert {key: getattr(found, key) for key in last.model_fields_set if getattr(last, key) is not None} == {
                key: getattr(last, key) for key in last.model_fields_set if getattr(last, key) is not None
            }
    untouched = {key: value for key, value in tomllib.loads(before).items() if key not in names.values()}
    assert {key: said[key] for key in untouched} == untouched
    assert [line for line in before.splitlines() if line.startswith("#")] == [
        line for line in after.splitlines() if line.startswith("#")
    ]
