"""What is written from the models: the file, the reference page and the schema."""

import stat
from datetime import date, time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import ConfigError, Settings, load
from config.keys import keys
from config.reference import reference
from config.schema import json_schema
from config.settings import (
    WEEKDAYS,
    Holiday,
    ImapServer,
    MailboxSettings,
    MaildirFolder,
    Norm,
    Office,
    School,
    Service,
    SmtpServer,
    Stage,
)  # fmt: skip
from config.writing import as_toml, write_new

DOCS = Path(__file__).parents[2] / "docs"

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
minutes = st.integers(0, 24 * 60 - 1).map(lambda minute: time(minute // 60, minute % 60))
holidays = st.tuples(st.dates(), st.dates(), words).map(lambda h: Holiday(first=min(h[:2]), last=max(h[:2]), name=h[2]))
mailboxes = st.builds(
    MailboxSettings,
    address=st.integers().map(lambda number: f"t{number}@maple.example"),
    teacher=words,
    grade=st.just("") | words,
    connector=st.just("maildir"),
    stage=st.sampled_from(Stage),
    maildir=st.builds(
        MaildirFolder, path=st.just(Path("/mail/t")), outgoing=st.just(Path('/mail/with "quotes" and \\'))
    ),
    imap=st.none() | st.builds(ImapServer, host=words, port=st.integers(1, 65535)),
    options=st.dictionaries(words.filter(lambda w: "=" in w), st.integers() | words | st.booleans(), max_size=2),
)


@st.composite
def wholes(draw):
    opens, closes = sorted(draw(st.lists(minutes, min_size=2, max_size=2, unique=True)))
    boxes = draw(st.lists(mailboxes, min_size=1, max_size=3, unique_by=lambda box: box.address.replace("-", "_")))
    return Settings(
        school=School(
            name=draw(words), timezone="America/Chicago", opens=opens, closes=closes,
            days=tuple(draw(st.sets(st.sampled_from(WEEKDAYS), min_size=1))),
            holidays=tuple(draw(st.lists(holidays, max_size=3))),
            languages=tuple(draw(st.lists(st.sampled_from(["en", "es", "vi"]), min_size=1, unique=True))),
        ),
        office=Office(address="office@maple.example", phone=draw(words.filter(lambda w: len(w) > 2))),
        norm=Norm(reply_within_hours=(12, draw(st.integers(12, 240)))),
        service=Service(database="/var/a.db", keep_subjects=draw(st.booleans()), poll_seconds=draw(st.floats(1, 3600))),
        smtp=draw(st.none() | st.builds(SmtpServer, host=words)),
        mailboxes=tuple(boxes),
    )  # fmt: skip


def simple() -> Settings:
    return Settings(
        school=School(name="Maple", timezone="America/Chicago", holidays=(Holiday(first=date(2026, 11, 26)),)),
        office=Office(address="office@maple.example", phone="555-0100"),
        service=Service(database="/var/a.db"),
        imap=ImapServer(host="imap.maple.example"),
        mailboxes=(MailboxSettings(address="rivera@maple.example", teacher="Ms. Rivera"),),
    )


@given(wholes())
def test_what_is_written_reads_back_the_same(tmp_path_factory, settings):
    path = tmp_path_factory.getbasetemp() / "written.toml"
    path.write_bytes(as_toml(settings).encode())
    assert load(path, {}) == settings


def test_every_key_is_in_the_written_file_with_its_meaning():
    text = as_toml(simple())
    for key in keys(School):
        assert f"{key.path[-1]} = " in text or "holidays" in key.path
    assert '\n# opens = "08:00"\n' in text
    assert "\n# Name that families know the school by.\n" in text


def test_a_new_file_is_its_owners_alone_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "alliance.toml"
    write_new(path, simple(), overwrite=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert load(path, {}) == simple()


def test_a_file_that_is_there_is_left_alone_unless_told(tmp_path):
    path = tmp_path / "alliance.toml"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="no file here yet"):
        write_new(path, simple(), overwrite=False)
    assert path.read_text() == "mine"
    write_new(path, simple(), overwrite=True)
    assert load(path, {}) == simple()
    assert list(tmp_path.iterdir()) == [path]


def test_settings_that_would_not_load_are_not_written(tmp_path):
    path = tmp_path / "alliance.toml"
    with pytest.raises(ConfigError, match=r"alliance\.toml:\d+: mailboxes\[1\]\.imap") as error:
        write_new(path, simple().model_copy(update={"imap": None}), overwrite=True)
    assert ".alliance.toml." not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_every_key_has_a_description():
    assert [key.path for key in keys() if not (key.field.description or "").strip()] == []


def test_the_schema_describes_every_property_and_allows_no_other():
    schema = json_schema()
    for table in [schema, *(part for part in schema["$defs"].values() if part["type"] == "object")]:
        assert table["additionalProperties"] is False
        for name, property_ in table["properties"].items():
            assert property_.get("description"), name


def test_the_reference_page_is_what_the_models_say():
    assert (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8") == reference(), (
        "write it again: alliance config reference > docs/reference/configuration.md"
    )


def test_the_example_names_every_key():
    text = (DOCS / "examples" / "alliance.toml").read_text(encoding="utf-8")
    missing = [key.path for key in keys() if f"{key.path[-1]} =" not in text and f"{key.path[-1]}]" not in text]
    assert missing == []
