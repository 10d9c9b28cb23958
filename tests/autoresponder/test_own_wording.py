"""The school's own sentences: what is refused, what families then read, and what happens to a file that breaks."""

import os
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser
from structlog.testing import capture_logs

from autoresponder.beside import answers, drafts, page
from autoresponder.gallery import KINDS, facts_of
from autoresponder.note import Note
from autoresponder.own_file import own_file
from autoresponder.own_sentences import LONGEST, PLACEHOLDERS, lacks_of, placeholders_of
from autoresponder.own_wording import grammar, own_files, read_own, replaceable, words_for
from autoresponder.reach_me import reach_me
from autoresponder.replies import reply_note
from autoresponder.where_used import Place, where_used
from autoresponder.wording import CONVERSATION, FAMILIES, LANGUAGES, sentences_in, wording
from autoresponder.wording_check import check_wording
from config.faults import ConfigError
from config.settings import OwnWording, Settings
from config.writing import toml_value
from connectors.labels import Tag
from tests.autoresponder.sample import IN_THE_US

NORM = "I will read it myself and answer by {day}, within {norm} school hours (days without school do not count)."
THANKS = "Thank you for your message. This is an automatic note to let you know that it arrived."
IN_A_CRISIS = "Please call our front office now, so that somebody can help right away: {phone}."
_changes = count(1)


def school(folder: Path, *, crisis_read_by: str = "") -> Settings:
    own = OwnWording(folder=folder, crisis_read_by=crisis_read_by)
    return IN_THE_US.model_copy(update={"wording": own})


def write(folder: Path, says: dict[str, str], language: str = "es") -> Path:
    path = folder / f"{language}.toml"
    entry = "[[sentence]]\nenglish = {}\nsays = {}\n"
    path.write_text("".join(entry.format(*map(toml_value, each)) for each in says.items()), encoding="utf-8")
    changed = next(_changes)
    os.utime(path, ns=(changed, changed))  # Two changes within a tick of the clock are two changes.
    return path


def note(kind: str, settings: Settings, language: str = "es") -> Note:
    facts = facts_of(KINDS[kind], (language,), settings)
    has_it = KINDS[kind].office_has_it
    return reply_note(facts, mailbox=settings.mailboxes[0], settings=settings, office_has_it=has_it)


def said(kind: str, settings: Settings, language: str = "es") -> str:
    return " ".join(note(kind, settings, language).text().split())


def refused(settings: Settings) -> str:
    with pytest.raises(ConfigError) as error:
        check_wording(settings)
    return str(error.value)


def test_an_own_sentence_stands_in_the_note_and_everything_else_stays(tmp_path: Path) -> None:
    settings = school(tmp_path)
    write(tmp_path, {NORM: "Le responderé a más tardar el {day} ({norm} horas de clase)."})
    check_wording(settings)
    assert "a más tardar el jueves 5 de marzo (24–48 horas de clase)." in said("routine", settings)
    assert "horas de clase" not in said("routine", settings, "vi")
    assert said("urgent", settings) == said("urgent", IN_THE_US)


def test_the_same_sentence_is_the_schools_own_in_reach_me_and_in_drafts(tmp_path: Path) -> None:
    write(tmp_path, {"How to reach me": "Cómo encontrarme", "Hello,": "Estimada familia:"})
    settings = school(tmp_path)
    assert reach_me("es", settings.mailboxes[0], settings).text().startswith("Cómo encontrarme\n")
    assert all("Estimada familia:" in pair.own.text() for pair in drafts("es", settings))


def test_english_can_be_said_otherwise_too(tmp_path: Path) -> None:
    write(tmp_path, {"Hello,": "Dear family,"}, "en")
    assert said("routine", school(tmp_path), "en").startswith("Dear family,")


@pytest.mark.parametrize(
    ("own", "lacks"),
    [
        ("Le responderé en {norm} horas.", "expected the placeholder {day}"),
        ("Le responderé mañana, el {day}, en 24 horas.", "{norm} becomes norm.reply_within_hours"),
        ("{norm} {day} {day}", "the placeholder {day} once (in place of"),
        ("{norm} {day} {Day}", "found {Day}"),
        ("{norm} {day} {phone}", "found {phone}"),
        ("{norm} {day} {}", "found {}"),
        ("{norm} {day} {0}", "found {0}"),
        ("{norm} {day.__class__}", "found {day.__class__}"),
        ("{norm[0]} {day}", "found {norm[0]}"),
        ("{norm!r} {day}", "found {norm!r}"),
        ("{norm:>999999999} {day}", "found {norm:>999999999}"),
        ("{norm} {day:{norm}}", "found {day:{norm}}"),
        ("{norm} {day", "braces in pairs"),
        ("{norm} {day}}", "braces in pairs"),
        ("{norm} {day} {{x}}", "no braces but those of the placeholders"),
        ("<b>{norm}</b> {day}", 'found "<b>"'),
        ("{norm} {day}<br/>", 'found "<br/>"'),
        ("{norm} {day} <!-- x -->", 'found "<!-- x -->"'),
        ("{norm}&nbsp;{day}", 'found "&nbsp;"'),
        ("{norm} {day} &#x202e;", 'found "&#x202e;"'),
        ("{norm} {day} \u202etxt", "found U+202E"),
        ("{norm} \u2067{day}", "found U+2067"),
        ("{norm}\n{day}", "found U+000A"),
        ("{norm}\x00{day}", "found U+0000"),
        ("{norm}\u2028{day}", "found U+2028"),
        ("   ", "a sentence in words"),
        ("\u200b\u200e", "a sentence in words"),
        ("—", "a sentence in words"),
        ("{norm} {day} " + "x" * LONGEST, f"at most {LONGEST} characters"),
    ],
)
def test_a_sentence_that_is_not_sound_is_refused_and_the_built_in_one_stands_in(
    tmp_path: Path, own: str, lacks: str
) -> None:
    settings = school(tmp_path)
    write(tmp_path, {THANKS: "Gracias.", NORM: own})
    told = refused(settings)
    assert f"{tmp_path / 'es.toml'}:6: says: expected " in told
    assert lacks in told
    assert f"in place of “{NORM[:59]}" in told
    assert "Gracias." in said("routine", settings)
    assert wording("es").gettext(NORM).partition("{")[0] in said("routine", settings)


@pytest.mark.parametrize(
    ("written", "line", "lacks"),
    [
        ("[[sentence]]\nenglish = 'Hello,'\nsays = 'Hola'\n" * 2, 5, "line 3 has it already"),
        ("[[sentence]]\nenglish = 'Helo,'\nsays = 'Hola'\n", 2, "the nearest is “Hello,”"),
        ("[[sentence]]\nenglish = 'EEEE, MMMM d'\nsays = 'd/M'\n", 2, "belongs to the language"),
        ("[[sentence]]\nenglish = 'zzz'\nsays = 'Hola'\n", 2, "alliance wording export"),
        ("[[sentence]]\nenglish = 'Hello,'\nsays = ['Hola', 'Holas']\n", 3, "no plural forms here; 2 were found"),
        ("[[sentence]]\nenglish = 'Hello,'\nsays = 7\n", 3, "one sentence in quotation marks"),
        ("[[sentence]]\nenglish = 'Hello,'\n", 1, "sentence[1].says: expected one sentence in quotation marks"),
        ("\n[[sentence]]\nenglish = 'Hello,'\nsays = ''\nsay = 'Hola'\n", 5, 'found "say"'),
        ("[sentence]\nenglish = 'Hello,'\nsays = 'Hola'\n", 1, "[[sentence]]"),
        ("sentence = ['Hola']\n", 1, "a table with english and says"),
        ("greeting = 'Hola'\n", 1, 'found "greeting"'),
        ('[[sentence]]\nenglish = "Hello,"\nsays = "Un "saludo""\n', 3, "a quotation mark inside a sentence"),
        ("[[sentence]]\nenglish = 'Hello,'\nsays = 'Ho\xf1la'\n".encode("latin-1"), 3, "UTF-8"),
    ],
)
def test_a_broken_file_is_refused_with_its_line_and_families_get_the_built_in_note(
    tmp_path: Path, written: str | bytes, line: int, lacks: str
) -> None:
    path = tmp_path / "es.toml"
    path.write_bytes(written if isinstance(written, bytes) else written.encode())
    told = refused(school(tmp_path))
    assert f"{path}:{line}: " in told
    assert lacks in told
    if "line 3 has it already" not in lacks:
        assert said("routine", school(tmp_path)) == said("routine", IN_THE_US)


def test_a_file_too_large_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "es.toml").write_text("# " + "x" * 600_000)
    assert "at most 500,000 bytes" in refused(school(tmp_path))


def test_a_file_from_a_windows_editor_is_read(tmp_path: Path) -> None:
    text = "[[sentence]]\r\nenglish = 'Hello,'\r\nsays = 'Buenas:'\r\n"
    (tmp_path / "es.toml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    check_wording(school(tmp_path))
    assert "Buenas: Gracias por" in said("routine", school(tmp_path))


@pytest.mark.parametrize(
    ("name", "advice"), [("es-MX", "nearest is es.toml"), ("zh", "zh-Hans.toml"), ("spanish", "languages are en, es")]
)
def test_a_file_of_no_language_is_refused_and_other_files_are_left_alone(
    tmp_path: Path, name: str, advice: str
) -> None:
    (tmp_path / f"{name}.toml").write_text("")
    (tmp_path / "es.toml~").write_text("x")
    (tmp_path / "notes.txt").write_text("x")
    told = refused(school(tmp_path))
    assert advice in told
    assert len(told.splitlines()) == 1


def test_every_fault_of_every_file_is_told_at_once_in_their_order(tmp_path: Path) -> None:
    write(tmp_path, {THANKS: "<b>Hola</b>", NORM: "Hola"}, "es")
    write(tmp_path, {NORM: "Olá {norm}"}, "pt")
    lines = refused(school(tmp_path)).splitlines()
    assert [line.partition(": says")[0].rpartition("/")[2] for line in lines] == [
        "es.toml:3", "es.toml:6", "es.toml:6", "pt.toml:3",
    ]  # fmt: skip


def test_what_somebody_leaves_empty_stays_built_in(tmp_path: Path) -> None:
    write(tmp_path, {NORM: ""})
    check_wording(school(tmp_path))
    assert said("routine", school(tmp_path)) == said("routine", IN_THE_US)


def test_a_crisis_note_keeps_the_built_in_sentences_until_somebody_has_read_the_schools(tmp_path: Path) -> None:
    danger = "If someone is in danger right now, please call {number}."
    write(tmp_path, {"Hello,": "Qué tal:", danger: "En peligro: {number}."})
    unread, read = school(tmp_path), school(tmp_path, crisis_read_by="Dana Cho, counselor")
    check_wording(unread)
    assert said("crisis", unread) == said("crisis", IN_THE_US)
    assert "Qué tal:" in said("urgent", unread)
    assert "Qué tal: Gracias por" in said("crisis", read)
    assert "En peligro: 911." in said("crisis", read)


def test_own_sentences_for_a_crisis_are_refused_until_somebody_is_named_and_always_need_their_numbers(
    tmp_path: Path,
) -> None:
    write(tmp_path, {IN_A_CRISIS: "Llame ahora a la dirección: {phone}."})
    told = refused(school(tmp_path))
    assert f"{tmp_path / 'es.toml'}:3: says: " in told
    assert "wording.crisis_read_by" in told
    read = school(tmp_path, crisis_read_by="Dana Cho, counselor")
    check_wording(read)
    assert "Llame ahora a la dirección: (608) 555-0142." in said("crisis", read)
    write(tmp_path, {IN_A_CRISIS: "Llame ahora a la dirección."})
    assert "the placeholder {phone}" in refused(read)
    assert said("crisis", read) == said("crisis", IN_THE_US)


def test_a_wording_that_breaks_while_the_service_runs_is_logged_once_and_a_mended_one_is_in_the_next_note(
    tmp_path: Path,
) -> None:
    settings, built_in = school(tmp_path), said("routine", IN_THE_US)
    path = write(tmp_path, {THANKS: "Gracias por escribir."})
    assert "Gracias por escribir." in said("routine", settings)
    path.write_text(path.read_text()[:-2])  # as while somebody saves it
    with capture_logs() as logs:
        assert said("routine", settings) == built_in
        assert said("routine", settings) == built_in
    assert [(each["log_level"], str(path) in each["fault"]) for each in logs] == [("error", True)]
    write(tmp_path, {THANKS: "Gracias de nuevo."})
    assert "Gracias de nuevo." in said("routine", settings)
    path.unlink()
    assert said("routine", settings) == built_in
    tmp_path.rmdir()
    assert said("routine", settings) == built_in
    assert "a folder that can be read" in refused(settings)
    tmp_path.write_text("")
    with capture_logs() as logs:
        assert said("routine", settings) == built_in
    assert {each["log_level"] for each in logs} == {"error"}


def test_nothing_in_an_own_sentence_or_in_what_fills_it_is_obeyed(tmp_path: Path) -> None:
    write(tmp_path, {NORM: "5 < 7 & {norm} {day} \"x\" 'y' <3"})
    teacher = IN_THE_US.mailboxes[0].model_copy(update={"teacher": "{day} <i>"})
    settings = school(tmp_path).model_copy(update={"mailboxes": (teacher,)})
    check_wording(settings)
    html = note("routine", settings).html()
    assert "5 &lt; 7 &amp; 24–48 jueves 5 de marzo &#34;x&#34; &#39;y&#39; &lt;3" in html
    body = LexborHTMLParser(html).body
    assert body is not None
    assert "{day} <i>" in body.text()


@given(built_in=st.sampled_from(replaceable()), own=st.text(max_size=80) | st.from_regex(r"(\{[a-z!:.\[\]]*\}|\w| )*"))
def test_whatever_is_let_through_fills_each_placeholder_once_and_nothing_else(built_in: str, own: str) -> None:
    if list(lacks_of(built_in, own)):
        return
    values = {name: f"\x01{name}\x02" for name in placeholders_of(built_in)}
    filled = own.format(**values)
    assert not {"{", "}"} & set(filled)
    assert all(filled.count(value) == 1 for value in values.values())
    assert len(filled.splitlines()) == 1


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    raw=st.binary(max_size=200)
    | st.from_regex(
        r"(\[\[?sentence\]\]?\n(english|says|x) ?= ?('Hello,'|\"[a-z{}\\\\]{0,9}\"|\[1\]|7|''|\"\"\")\n?){0,4}"
    ).map(str.encode)
)
def test_whatever_stands_in_the_file_a_family_gets_a_whole_note(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "es.toml"
    path.write_bytes(raw)
    changed = next(_changes)
    os.utime(path, ns=(changed, changed))
    assert said("urgent", school(tmp_path)).split(": ", 1)[1] == said("urgent", IN_THE_US).split(": ", 1)[1]
    (file,) = own_files(tmp_path)
    assert all(fault.origin == str(path) and fault.line for fault in file.faults)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_built_in_sentence_would_be_let_through(language: str) -> None:
    for catalogue in (FAMILIES, CONVERSATION):
        words = wording(language, catalogue)
        for sentence in set(sentences_in(catalogue)) - grammar():
            assert list(lacks_of(sentence, words.gettext(sentence))) == [], sentence


def test_a_prompt_for_the_teacher_stays_in_brackets() -> None:
    (sentence,) = (each for each in replaceable() if each.startswith("[Unfinished draft, "))
    (lack,) = lacks_of(sentence, "Borrador {number} de {count}.")
    assert "square brackets" in lack.expected


def test_each_sentence_but_the_languages_own_can_be_replaced_and_is_known_by_where_it_is_read() -> None:
    assert grammar() == {
        "EEEE, MMMM d", "h:mm a", "on {day} from {opens} to {closes}", "{before} or {last}", "{before} and {last}",
        ", ",
    }  # fmt: skip
    assert set(where_used()) | grammar() == {*sentences_in(FAMILIES), *sentences_in(CONVERSATION)}
    assert all(where_used().values())
    assert where_used()[NORM] == (Place.ROUTINE,)
    assert where_used()["your message"] == (Place.SUBJECT,)
    assert where_used()[IN_A_CRISIS] == (Place.CRISIS,)
    assert where_used()["Hello,"] == (Place.ROUTINE, Place.CONFLICT, Place.URGENT, Place.CRISIS)
    assert {each for each, places in where_used().items() if places == (Place.SUBJECT,)} == {"your message"}


def test_every_placeholder_is_explained_to_whoever_writes() -> None:
    used = {name for sentence in replaceable() for name in placeholders_of(sentence)}
    assert used == set(PLACEHOLDERS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_file_to_begin_with_holds_every_sentence_and_changes_nothing(tmp_path: Path, language: str) -> None:
    path = tmp_path / f"{language}.toml"
    path.write_text(own_file(language, drafts=True), encoding="utf-8")
    (file,) = own_files(tmp_path)
    assert file.faults == ()
    assert file.says == {}
    text = path.read_text(encoding="utf-8")
    assert all(f"english = {toml_value(sentence)}\n" in text for sentence in replaceable())
    assert f"# Now: {wording(language).gettext(NORM)}\n" in text


def test_a_file_written_anew_keeps_what_the_school_has_written(tmp_path: Path) -> None:
    says = {THANKS: 'Gracias "mil".', "The same as always": ""}
    path = write(tmp_path, {THANKS: says[THANKS]})
    path.write_text(own_file("es", says=read_own(path).says), encoding="utf-8")
    assert read_own(path).says == {THANKS: says[THANKS]}


def test_old_and_new_stand_beside_each_other(tmp_path: Path) -> None:
    write(tmp_path, {NORM: "Hasta el {day}, {norm}."})
    settings = school(tmp_path)
    pairs = list(answers("es", settings, tag=Tag.ROUTINE))
    assert all(pair.differs for pair in pairs)
    assert len(pairs) == sum(kind.tag is Tag.ROUTINE for kind in KINDS.values())
    lines = pairs[0].text().splitlines()
    assert "+ Hasta el jueves 5 de marzo, 24–48." in lines
    assert any(line.startswith("- Lo leeré") for line in lines)
    assert "  Hola:" in lines
    shown = LexborHTMLParser(page("es", pairs, settings))
    old, new = (frame.attributes["srcdoc"] or "" for frame in shown.css("iframe")[:2])
    assert "Lo leeré" in old
    assert "Hasta el" in new
    assert all("sandbox" in frame.attributes for frame in shown.css("iframe"))
    assert not any(pair.differs for pair in answers("es", settings, tag=Tag.URGENT))


def test_words_for_a_language_that_nobody_writes_are_refused_as_ever(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        words_for("de", school(tmp_path))
