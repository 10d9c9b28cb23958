"""Reading the configuration: what is right loads, and what is wrong is named with file, line, key and way out."""

from datetime import date, time
from pathlib import Path

import pytest

from config import ConfigError, Fault, Settings, load
from config.settings import MailboxSettings, Office, School, Stage

SCHOOL = '[school]\nname = "Maple"\ntimezone = "America/Chicago"\n'
OFFICE = '[office]\naddress = "office@maple.example"\nphone = "555-0100"\n'
SERVERS = '[imap]\nhost = "imap.maple.example"\n[smtp]\nhost = "smtp.maple.example"\n'
MAILBOX = '[[mailboxes]]\naddress = "rivera@maple.example"\nteacher = "Ms. Rivera"\n'
WHOLE = SCHOOL + OFFICE + SERVERS + MAILBOX
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "alliance.toml"


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "alliance.toml"


@pytest.fixture
def loaded(file):
    def loads(text: str, **environ: str) -> Settings:
        file.write_text(text)
        return load(file, environ)

    return loads


@pytest.fixture
def faults(file):
    def of(text: str | bytes, **environ: str) -> tuple[Fault, ...]:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(ConfigError) as error:
            load(file, environ)
        for fault in error.value.faults:
            assert str(fault) in str(error.value)
        return error.value.faults

    return of


def line_of(text: str, start: str) -> int:
    return next(number for number, line in enumerate(text.split("\n"), 1) if line.startswith(start))


def test_the_example_loads_and_its_paths_are_beside_it():
    settings = load(EXAMPLE, {})
    assert settings.school.holidays_ics == EXAMPLE.parent / "holidays.ics"
    assert settings.service.database == str(EXAMPLE.parent / "alliance.db")
    assert settings.mailboxes[2].maildir is not None
    assert settings.mailboxes[2].maildir.path == EXAMPLE.parent / "mail" / "chen"
    assert [box.stage for box in settings.mailboxes] == [Stage.REPLY, Stage.TAG, Stage.OBSERVE]


def test_the_smallest_file_takes_defaults_for_the_rest(loaded):
    settings = loaded(WHOLE)
    assert settings.school.opens == time(8, 0)
    assert settings.norm.reply_within_hours == (24, 48)
    assert settings.mailboxes[0].stage is Stage.OBSERVE
    assert settings.mailbox("RIVERA@maple.example").connector == "imap"


def test_times_are_read_as_text_or_as_toml_times(loaded):
    settings = loaded(WHOLE.replace("[office]", 'opens = "7:45"\ncloses = 15:10:00\n[office]'))
    assert (settings.school.opens, settings.school.closes) == (time(7, 45), time(15, 10))


def test_the_environment_wins_over_the_file(loaded, file):
    settings = loaded(
        WHOLE + "[service]\npoll_seconds = 30\nbatch = 10\n",
        ALLIANCE_SERVICE__POLL_SECONDS="90",
        ALLIANCE_SERVICE__DATABASE="postgresql://u:pw@db.example/a",
        ALLIANCE_SCHOOL__LANGUAGES='["en", "es"]',
        ALLIANCE_IMAP__PORT="1993",
        ALLIANCE_SERVICE__KEEP_SUBJECTS="",
        ALLIANCE_PASSWORD_RIVERA_MAPLE_EXAMPLE="sesame",
        ALLIANCE_PASSWORD_A__B_MAPLE_EXAMPLE="sesame",
        ALLIANCE_OURCONNECTOR__TOKEN="sesame",
        ALLIANCE_CONFIG="x.toml",
    )
    assert settings.service.poll_seconds == 90
    assert settings.service.batch == 10
    assert settings.service.database == "postgresql://u:pw@db.example/a"
    assert settings.school.languages == ("en", "es")
    assert settings.imap is not None
    assert (settings.imap.host, settings.imap.port) == ("imap.maple.example", 1993)


def test_settings_built_directly_do_not_read_the_environment(monkeypatch):
    monkeypatch.setenv("ALLIANCE_SERVICE__BATCH", "7")
    settings = Settings(
        school=School(name="Maple", timezone="UTC"),
        office=Office(address="office@maple.example", phone="555"),
        mailboxes=(MailboxSettings(address="a@maple.example", teacher="A"),),
    )
    assert settings.service.batch == 200


def test_the_process_environment_is_read_where_none_is_given(file, monkeypatch):
    file.write_text(WHOLE)
    monkeypatch.setenv("ALLIANCE_SERVICE__BATCH", "7")
    assert load(file).service.batch == 7


def test_relative_paths_count_from_the_file_wherever_the_process_runs(file, monkeypatch, tmp_path):
    (tmp_path / "sub").mkdir()
    file.write_text(WHOLE.replace('imap.maple.example"', 'imap.maple.example"\nca_file = "certificates/ca.pem"'))
    monkeypatch.chdir(tmp_path / "sub")
    settings = load(Path("../alliance.toml"), {})
    assert settings.imap is not None
    assert settings.imap.ca_file is not None
    assert settings.imap.ca_file.resolve() == tmp_path / "certificates" / "ca.pem"


def test_a_database_url_stays_as_it_is(loaded):
    assert loaded(WHOLE + '[service]\ndatabase = "sqlite://"').service.database == "sqlite://"
    assert loaded(WHOLE + '[service]\ndatabase = "/var/a.db"').service.database == "/var/a.db"


@pytest.mark.parametrize(
    ("old", "new", "start", "sentence"),
    [
        (
            'name = "Maple"', 'nme = "Maple"', "nme",
            'school.nme: expected a valid key, found "nme"; the nearest valid key is school.name',
        ),
        ("[office]", "[ofice]", "[ofice]", 'found "ofice"; the nearest valid key is office'),
        ("[smtp]", "poll_seconds = 3\n[smtp]", "poll_seconds", "poll_seconds belongs in [service]"),
        ("America/Chicago", "Chicago", "timezone", 'an IANA time zone such as America/Chicago, found "Chicago"'),
        ('"555-0100"', "5550100", "phone", "office.phone: expected text, found 5550100"),
        ("[office]", "opens = 800\n[office]", "opens", 'school.opens: expected a time of day such as "08:00", found'),
        ("[office]", 'opens = "24:00"\n[office]', "opens", 'a time of day such as "08:00", found "24:00"'),
        ("[office]", 'opens = "16:00"\n[office]', "opens", "school.opens: expected a time of day before closes"),
        ("[office]", 'days = ["mon", "day"]\n[office]', "days", 'school.days[2]: expected "mon", "tue"'),
        ("[office]", "days = []\n[office]", "days", "school.days: expected at least one weekday"),
        ("[office]", 'languages = ["xx"]\n[office]', "languages", 'an ISO 639-1 language code such as "en", "es"'),
        ("[office]", "languages = []\n[office]", "languages", "languages: expected at least 1 item, found an empty"),
        ("[office]", "holidays = [{first = 20261126}]\n[office]", "holidays", "holidays[1].first: expected a date"),
        (
            "[office]", "holidays = [{first = 2026-11-26, last = 2026-11-25}]\n[office]", "holidays",
            "holidays[1].last: expected a day that is not before first",
        ),
        ("[smtp]", 'security = "none"\n[smtp]', "security", 'imap.security: expected "tls" or "starttls"'),
        ("[smtp]", "port = 70000\n[smtp]", "port", "imap.port: expected less than or equal to 65535, found 70000"),
        ("[smtp]", 'port = "imaps"\n[smtp]', "port", 'imap.port: expected a whole number, found "imaps"'),
        ("[smtp]", "[norm]\nreply_within_hours = [48, 24]\n[smtp]", "reply", "two numbers in order, from 1 to 240"),
        ("[smtp]", "[norm]\nreply_within_hours = 48\n[smtp]", "reply", "a list of 2: a whole number, a whole number"),
        ("rivera@", "rivera at ", "address = \"rivera", "an e-mail address such as office@maple.example"),
        ('teacher = "Ms. Rivera"', 'stage = "reply-all"', "stage", '"observe", "tag" or "reply", found "reply-all"'),
        ('teacher = "Ms. Rivera"\n', "", "[[mailboxes]]", "mailboxes[1].teacher: expected text, found nothing"),
        (OFFICE, "", "[school]", "office: expected a table, found nothing"),
        (MAILBOX, "", "[school]", "mailboxes: expected a list of tables, found nothing"),
        (SERVERS, "imap = 3\n", "imap", "imap: expected a"),
    ],
)  # fmt: skip
def test_a_fault_names_file_line_key_what_was_expected_and_what_was_found(faults, file, old, new, start, sentence):
    text = WHOLE.replace(old, new, 1)
    found = [str(fault) for fault in faults(text)]
    matching = [line for line in found if sentence in line]
    assert matching, found
    assert matching[0].startswith(f"{file}:{line_of(text, start)}: ")


def test_every_fault_is_listed_in_the_order_of_the_file(faults):
    text = WHOLE.replace('"Maple"', "3").replace('"555-0100"', "4") + "colour = 1\n" + MAILBOX + "stage = 5\n"
    found = faults(text)
    assert [fault.key for fault in found] == [
        "school.name",
        "office.phone",
        "mailboxes[1].colour",
        "mailboxes[2].stage",
    ]
    assert [fault.line for fault in found] == sorted(fault.line or 0 for fault in found)


def test_the_second_mailbox_is_told_from_the_first(faults):
    text = WHOLE + '[[mailboxes]]\naddress = "b@maple.example"\nteacher = 3\n'
    (fault,) = faults(text)
    assert (fault.key, fault.line) == ("mailboxes[2].teacher", text.count("\n"))


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        (b"a = 1\nb = = 2\n", 2, "expected TOML"),
        (b'a = "unclosed\n', 1, "expected TOML"),
        (b"[school]\n\n[school]\n", 3, "expected TOML"),
        (b"a = 1\na = 2\n", 2, "expected TOML"),
        (b"a = [1,\n2", 2, "expected TOML"),
        (b"\xef\xbb\xbfa = 1\n", 1, "byte order mark"),
        ("a = 1\n".encode("utf-16"), 1, "UTF-16"),
        (b'a = 1\nb = "\xe9"\n', 2, "UTF-8"),
    ],
)
def test_a_file_that_is_no_toml_is_a_clear_error(faults, text, line, sentence):
    (fault,) = faults(text)
    assert fault.line == line
    assert sentence in str(fault)


def test_nesting_without_end_is_a_clear_error(faults):
    (fault,) = faults("a = " + "[" * 100_000)
    assert "nested less deeply" in str(fault)


def test_a_missing_file_and_a_folder_are_clear_errors(tmp_path):
    with pytest.raises(
        ConfigError, match=r"none\.toml: expected a configuration file, but there is none.*alliance init"
    ):
        load(tmp_path / "none.toml", {})
    with pytest.raises(ConfigError, match="this is a folder"):
        load(tmp_path, {})


def test_a_fault_from_the_environment_names_the_variable(faults):
    (fault,) = faults(WHOLE, ALLIANCE_SERVICE__BATCH="many")
    assert str(fault) == (
        'environment variable ALLIANCE_SERVICE__BATCH: service.batch: expected a whole number, found "many"'
    )
    (fault,) = faults(WHOLE, ALLIANCE_SERVICE__BACH="3")
    assert "environment variable ALLIANCE_SERVICE__BACH" in str(fault)
    assert "service.batch" in str(fault)
    (fault,) = faults(WHOLE, ALLIANCE_SERVCE__BATCH="3")
    assert str(fault).endswith("expected a valid key; the nearest is ALLIANCE_SERVICE__BATCH")
    (fault,) = faults(WHOLE, ALLIANCE_MAILBOXES="[{")
    assert str(fault) == "environment variable ALLIANCE_MAILBOXES: expected a JSON value"


@pytest.mark.parametrize(
    ("text", "key", "advice"),
    [
        (WHOLE + 'password = "hunter2"\n', "mailboxes[1].password", "password_env"),
        (WHOLE.replace("[smtp]", 'passwd = "hunter2"\n[smtp]'), "imap.passwd", "password_env"),
        (
            WHOLE + "options = { deep = { client_secret = 'hunter2' } }\n",
            "mailboxes[1].options.deep.client_secret",
            "env",
        ),
        (WHOLE + 'options.tokens = ["hunter2"]\n', "mailboxes[1].options.tokens", "password_env"),
        (
            WHOLE + '[service]\ndatabase = "postgresql://u:hunter2@db/a"\n',
            "service.database",
            "ALLIANCE_SERVICE__DATABASE",
        ),
        (WHOLE + 'password_env = "hunter2 !"\n', "mailboxes[1].password_env", ""),
        ('password = "hunter2"\n' + WHOLE, "password", "password_env"),
    ],
)
def test_a_secret_in_the_file_is_refused_with_the_place_where_it_belongs_and_never_shown(faults, text, key, advice):
    (fault,) = faults(text)
    assert fault.key == key
    assert advice in fault.advice
    assert "hunter2" not in str(fault)


def test_keys_that_would_mislead_the_settings_library_are_unknown_keys(faults):
    (fault,) = faults('_env_file = ".env"\n' + WHOLE)
    assert (fault.key, fault.line) == ("_env_file", 1)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (SCHOOL + OFFICE + MAILBOX, "mailboxes[1].imap"),
        (SCHOOL + OFFICE + SERVERS.partition("[smtp]")[0] + MAILBOX + 'stage = "tag"\n', "mailboxes[1].smtp"),
        (SCHOOL + OFFICE + MAILBOX + 'connector = "maildir"\n', "mailboxes[1].maildir"),
        (
            SCHOOL + OFFICE + MAILBOX + 'connector = "maildir"\nstage = "tag"\nmaildir.path = "m"\n',
            "mailboxes[1].maildir.outgoing",
        ),
        (WHOLE + MAILBOX, "mailboxes[2].address"),
        (WHOLE + MAILBOX.replace("rivera@", "b@") + 'aliases = ["rivera@maple.example"]\n', "mailboxes[2].aliases"),
        (
            WHOLE + MAILBOX.replace("rivera", "r.r") + MAILBOX.replace("rivera", "r_r"),
            "mailboxes[3].password_env",
        ),
        (WHOLE.replace("[imap]", 'opens = "17:00"\n[imap]'), "office.opens"),
        (WHOLE.replace("[imap]", 'opens = "09:00"\ncloses = "08:30"\n[imap]'), "office.closes"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_a_fault_at_its_key(faults, text, key):
    assert [fault.key for fault in faults(text)] == [key]


def test_a_mailbox_that_only_observes_needs_no_way_to_send(loaded):
    assert loaded(SCHOOL + OFFICE + SERVERS.partition("[smtp]")[0] + MAILBOX).smtp is None
    maildir = MAILBOX + 'connector = "maildir"\nmaildir.path = "m"\n'
    assert loaded(SCHOOL + OFFICE + maildir).mailboxes[0].connector == "maildir"


def test_faults_between_settings_are_told_together_with_faults_in_them(faults):
    keys = [fault.key for fault in faults(SCHOOL.replace("America/Chicago", "Nowhere") + OFFICE + MAILBOX)]
    assert keys == ["school.timezone", "mailboxes[1].imap"]


def test_an_unknown_connector_is_answered_with_the_nearest_installed_one(faults):
    (fault,) = faults(WHOLE + 'connector = "imapp"\n')
    assert 'found "imapp"; the nearest is "imap"' in str(fault)


def test_the_files_that_the_school_names_must_be_there_and_readable(faults, tmp_path):
    text = WHOLE.replace("[office]", 'holidays_ics = "h.ics"\nroster = "r.csv"\n[office]')
    missing = faults(text)
    assert [(fault.key, fault.line) for fault in missing] == [("school.holidays_ics", 4), ("school.roster", 5)]
    assert str(tmp_path / "h.ics") in str(missing[0])
    (tmp_path / "h.ics").write_text(
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:2026\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    (tmp_path / "r.csv").write_text("\nname,email\nAna,ana@home.example\n")
    broken = faults(text)
    assert [(fault.origin, fault.line) for fault in broken] == [(str(tmp_path / "h.ics"), 3)]


def test_dates_and_holidays_arrive_as_dates(loaded):
    text = WHOLE.replace(
        "[office]", 'holidays = [{first = 2026-11-26}, {first = "2026-12-24", last = 2026-12-31}]\n[office]'
    )
    first, second = loaded(text).school.holidays
    assert first.first == date(2026, 11, 26)
    assert (second.first, second.last) == (date(2026, 12, 24), date(2026, 12, 31))
