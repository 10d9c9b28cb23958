"""Learning from corrections, from the teacher's mail program to the model in use, on a Maildir school."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from email.policy import SMTP
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import classifier
from classifier import Bearings, Classifier
from classifier.examples import CORPUS, Example, Part, read_examples
from classifier.models import SHIPPED_NAME, Models
from classifier.opening import SHIPPED
from config.settings import Service
from connectors.errors import AuthenticationFailed, FetchFailed
from connectors.labels import Label, Tag
from connectors.mailbox import RawMessage
from connectors.maildir import MaildirMailbox
from service.cli import app
from service.learning import SURE, LeftOut, Unreached, doubts, gather
from service.models import models_of
from store.corrections import Contradicted, Corrections, Judged
from tests.classifier.test_models import learned
from tests.connectors.maildir_world import MaildirWorld
from tests.service.maple import ANA, BO, OKAFOR, RIVERA, Maple, letter

ROOT = Path(__file__).parents[2]
_CONFIGURATION = """
[school]
name = "Maple Street School"
timezone = "America/Chicago"
[office]
address = "office@maple.example"
phone = "555 0100"
[digest]
enabled = false
[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
connector = "maildir"
stage = "tag"
maildir = { path = "Maildir", outgoing = "outgoing" }
"""


class School:
    """A folder with a configuration and a teacher's Maildir."""

    def __init__(self, folder: Path, corpus: Path) -> None:
        self.folder = folder
        self.corpus = corpus
        self.world = MaildirWorld(folder)
        self.config = folder / "alliance.toml"
        self.config.write_text(_CONFIGURATION)
        self.models = Models(folder / "models")
        self._letters = 0
        self.run()

    def call(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--config", str(self.config)])

    def run(self) -> Result:
        ran = self.call("run", "--once")
        assert ran.exit_code == 0, ran.output
        return ran

    def learn(self, *arguments: str) -> Result:
        return self.call("learn", "--corpus", str(self.corpus), *arguments)

    def write(self, body: str, subject: str = "A letter") -> str:
        """A letter from a family of its own. Returns its Message-ID."""
        self._letters += 1
        sender = f"parent{self._letters}@family.example"
        mail = letter(self._letters, subject, sender, [RIVERA], body, datetime.now(UTC), {})
        self.world.deliver(mail.as_bytes(policy=SMTP))
        return str(mail["Message-ID"]).strip("<>")

    def relabel(self, letters: Sequence[str], tag: Tag | None) -> None:
        """The teacher makes this the letters' label, and the service looks."""
        self.world.settle()
        for message_id in letters:
            self.world.teacher_labels(message_id, frozenset({Label(tag)} if tag else ()))
        self.run()

    def models_that_judged(self) -> list[str]:
        """Which model judged each message, in order."""
        with sqlite3.connect(self.folder / "alliance.db") as database:
            return [row[0] for row in database.execute("SELECT model FROM message ORDER BY id")]

    def written(self) -> dict[Path, bytes]:
        """Everything on disk but the mail itself."""
        files = (path for path in self.folder.rglob("*") if path.is_file())
        mailboxes = (self.world.root, self.world.outgoing)
        return {path: path.read_bytes() for path in files if not any(map(path.is_relative_to, mailboxes))}


@pytest.fixture(scope="module", autouse=True)
def _loaded_once() -> Iterator[None]:
    """Each model is loaded once for all of these, and read anew where it changed on disk."""
    load, known = classifier.load, dict[tuple[Path | None, int], Classifier]()

    def load_once(folder: Path | None = None, bearings: Bearings | None = None) -> Classifier:
        changed = 0 if folder is None else (folder / "meta.json").stat().st_mtime_ns
        if (folder, changed) not in known:
            known[folder, changed] = load(folder)
        return known[folder, changed].at(bearings or Bearings())

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(classifier, "load", load_once)
        yield


@pytest.fixture(scope="module")
def examples() -> Sequence[Example]:
    """A small corpus with every part in it."""
    english = [example for example in read_examples(CORPUS) if example.lang == "en"]
    found: list[Example] = []
    for part, of_each in ((Part.LEARNING, 60), (Part.CALIBRATION, 12), (Part.HELD_BACK, 12)):
        for tag in Tag:
            found += [each for each in english if each.part is part and each.label is tag][:of_each]
    return found


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, examples: Sequence[Example]) -> Path:
    file = tmp_path_factory.mktemp("corpus") / "small.jsonl"
    file.write_text("".join(f"{example.model_dump_json()}\n" for example in examples))
    return file


@pytest.fixture
def school(tmp_path: Path, corpus: Path) -> School:
    return School(tmp_path, corpus)


def keep_a_copy_of_the_shipped_model(models: Models) -> str:
    def save(folder: Path) -> None:
        shutil.copytree(SHIPPED, folder)

    return models.keep(save, learned(), instead_of=models.in_use())


class TestWhatIsEvidence:
    """What the record knows of the teacher's word, by reference."""

    @pytest.fixture
    def maple(self) -> Maple:
        maple = Maple()
        maple.round()  # connected; what comes now is new mail
        return maple

    def judged(self, maple: Maple) -> list[Judged]:
        return Corrections(maple.database).judged()

    def tags(self, maple: Maple) -> list[tuple[str, Tag | None]]:
        return [(each.original, each.tag) for each in self.judged(maple)]

    def test_a_label_that_the_teacher_changed_is_one(self, maple: Maple) -> None:
        changed, left = maple.write("routine one"), maple.write("urgent two")
        maple.round()
        maple.relabel(changed, Label.CONFLICT)
        maple.round()
        (judged,) = self.judged(maple)
        assert (judged.original, judged.tag, judged.mailbox, judged.sender) == (changed, Tag.CONFLICT, RIVERA, ANA)
        assert left not in judged.original
        assert maple.mailbox().fetch(judged.provider_id).raw

    def test_of_two_corrections_of_one_message_the_last_counts(self, maple: Maple) -> None:
        message = maple.write("routine one")
        maple.round()
        for label in (Label.CONFLICT, Label.URGENT, Label.ROUTINE):
            maple.relabel(message, label)
            maple.round()
        assert self.tags(maple) == [(message, Tag.ROUTINE)]

    def test_a_mail_to_two_teachers_is_one_message_and_the_last_word_counts(self, maple: Maple) -> None:
        message = maple.write("routine one", to=[RIVERA, OKAFOR])
        maple.round()
        for address, label in ((OKAFOR, Label.CONFLICT), (RIVERA, Label.URGENT)):
            maple.relabel(message, label, address=address)
            maple.clock.forward(minutes=1)
            maple.round()
        assert self.tags(maple) == [(message, Tag.URGENT)]

    def test_please_check_taken_away_confirms_the_tag(self, maple: Maple) -> None:
        confirmed, unsure = maple.write("urgent unsure"), maple.write("urgent unsure", BO)
        maple.round()
        assert self.judged(maple) == []
        maple.relabel(confirmed, Label.URGENT)
        maple.round()
        assert self.tags(maple) == [(confirmed, Tag.URGENT)]
        assert maple.labels(unsure) == {Label.URGENT, Label.CHECK}

    def test_a_label_taken_away_says_no_tag(self, maple: Maple) -> None:
        message = maple.write("urgent one")
        maple.round()
        maple.relabel(message)
        maple.round()
        assert self.tags(maple) == [(message, None)]

    def test_labels_that_say_no_where_the_service_was_sure_are_counted_and_from_some_on_doubted(
        self, maple: Maple
    ) -> None:
        letters = [maple.write("urgent one", f"{number}@family.example") for number in range(12)]
        maple.round()
        for count, message in enumerate(letters[:6]):
            found = Corrections(maple.database).contradicted(SURE)
            assert (found.sure, found.contradicted) == (12, count)
            assert bool(doubts(found)) is (count >= 5)
            maple.relabel(message, Label.ROUTINE)
            maple.round()
        maple.relabel(letters[7])  # taken away: done with it, perhaps
        maple.relabel(letters[0], Label.URGENT)  # second thoughts
        maple.round()
        assert Corrections(maple.database).contradicted(SURE).contradicted == 5
        assert not doubts(Corrections(maple.database).contradicted(SURE, without=[RIVERA]))
        assert not doubts(Contradicted(sure=100, contradicted=20))


class TestGathering:
    @pytest.fixture
    def maple(self) -> Maple:
        maple = Maple()
        self.letters = [maple.write("routine one", sender, body=f"Letter of {sender}.") for sender in (ANA, BO)]
        maple.round()
        for message in self.letters:
            maple.relabel(message, Label.CONFLICT)
        maple.round()
        return maple

    def gathered(self, maple: Maple, **options: Sequence[str]) -> tuple[list[str], dict[LeftOut, int]]:
        judged = Corrections(maple.database).judged()
        found = gather(judged, maple.settings, lambda box: maple.mailbox(box.address), **options)
        return [lesson.letter.body.strip() for lesson in found.lessons], dict(found.left_out)

    def test_the_letters_come_from_the_mailbox_as_the_service_reads_them(self, maple: Maple) -> None:
        judged = Corrections(maple.database).judged()
        lessons = gather(judged, maple.settings, lambda box: maple.mailbox(box.address)).lessons
        assert [(each.family, each.label, each.letter.subject) for each in lessons] == [
            (ANA, Tag.CONFLICT, "routine one"),
            (BO, Tag.CONFLICT, "routine one"),
        ]
        received = lessons[0].letter.received
        assert received is not None
        assert received.utcoffset() == maple.clock().astimezone(maple.settings.school.zone).utcoffset()

    def test_a_message_that_is_gone_is_counted_and_skipped(self, maple: Maple) -> None:
        maple.delete(self.letters[0])
        assert self.gathered(maple) == ([f"Letter of {BO}."], {LeftOut.GONE: 1})
        maple.round()  # now the record knows it too
        assert self.gathered(maple) == ([f"Letter of {BO}."], {LeftOut.GONE: 1})

    def test_a_message_that_cannot_be_read_is_counted_and_skipped(
        self, maple: Maple, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fetch = type(maple.mailbox()).fetch
        fails = iter([True])

        def fetch_once(mailbox: object, message_id: str) -> RawMessage:
            if next(fails, False):
                raise FetchFailed("broken")
            return fetch(mailbox, message_id)  # type: ignore[arg-type]

        monkeypatch.setattr(type(maple.mailbox()), "fetch", fetch_once)
        assert self.gathered(maple) == ([f"Letter of {BO}."], {LeftOut.UNREADABLE: 1})

    def test_a_label_that_was_only_taken_away_teaches_nothing(self, maple: Maple) -> None:
        maple.relabel(self.letters[0])
        maple.round()
        assert self.gathered(maple) == ([f"Letter of {BO}."], {LeftOut.NO_TAG: 1})

    def test_a_mailbox_that_cannot_be_opened_stops_it_unless_it_is_left_out(
        self, maple: Maple, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refused(mailbox: object, message_id: str) -> RawMessage:
            raise AuthenticationFailed("password refused")

        monkeypatch.setattr(type(maple.mailbox()), "fetch", refused)
        with pytest.raises(Unreached) as stopped:
            self.gathered(maple)
        assert stopped.value.reasons == {RIVERA: "password refused"}
        assert self.gathered(maple, without=[RIVERA]) == ([], {LeftOut.NO_MAILBOX: 2})


class TestTheCommand:
    SECRET = "Wilhelmina Xyqzwk"
    """Stands in every letter, and in no vocabulary."""

    def corrected(self, school: School, count: int = 16) -> None:
        """Letters that several families wrote, and that the teacher calls a conflict."""
        letters = [
            school.write(
                f"Please let us know today what came of the gym roof, {self.SECRET} number {number} waits for a word.",
                f"The roof and {self.SECRET}",
            )
            for number in range(count)
        ]
        school.run()
        school.relabel(letters, Tag.CONFLICT)

    @pytest.fixture
    def _any_model_is_good_enough(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Whether so few messages make a better model is chance; the gate has tests of its own.
        monkeypatch.setattr("service.learning.objections", lambda comparison: ())

    def test_without_corrections_there_is_nothing_to_do(self, school: School) -> None:
        told = school.learn()
        assert told.exit_code == 0, told.output
        assert "No corrections to learn from yet" in told.stdout
        assert school.models.versions() == []

    @pytest.mark.usefixtures("_any_model_is_good_enough")
    def test_from_a_corrected_label_to_a_model_in_use_and_back(self, school: School) -> None:
        self.corrected(school)
        before = school.written()
        dry = school.learn("--dry-run")
        assert dry.exit_code == 0, dry.output
        assert "Nothing was written" in dry.stdout
        assert school.models.versions() == []
        assert {path: school.written()[path] for path in before if "models" not in path.parts} == before

        told = school.learn()
        assert told.exit_code == 0, told.output
        for words in ("16 corrections", "corpus, held back", "corrections, kept back", "Kept as"):
            assert words in told.stdout
        (version,) = school.models.versions()
        assert school.models.in_use() == version.name
        assert version.learned is not None
        assert version.learned.corrections + version.learned.comparison.kept_back.new.n == 16
        shown = json.loads(school.call("model", "list", "--json").stdout)
        assert [(each["name"], each["in_use"]) for each in shown["versions"]] == [(version.name, True)]
        assert version.name in school.call("model", "list").stdout

        school.write("Thank you for the field trip.")
        school.run()
        assert school.models_that_judged()[-1].endswith(version.name.rpartition("-")[2])
        again = school.learn()
        assert "nothing changes" in again.stdout
        rolled = school.call("model", "rollback")
        assert (rolled.exit_code, school.models.in_use()) == (0, SHIPPED_NAME)
        assert school.call("model", "use", version.name).exit_code == 0
        assert school.models.in_use() == version.name

        files = school.written()
        words = ["Xyqzwk", "gym roof", self.SECRET]
        found = [path for path, content in files.items() for word in words if word.lower().encode() in content.lower()]
        assert found == []

    def test_corrections_that_teach_that_urgent_is_routine_are_refused(
        self, school: School, examples: Sequence[Example]
    ) -> None:
        urgent = [example for example in examples if example.label is Tag.URGENT and example.part is Part.LEARNING]
        letters = [school.write(example.body, example.subject) for example in urgent]
        school.run()
        school.relabel(letters, Tag.ROUTINE)
        told = school.learn()
        assert told.exit_code == 1, told.output
        assert "teach that urgent mail is something else" in told.stdout
        assert "Look at these labels first" in told.stdout
        assert "The model in use stays" in told.stdout
        assert (school.models.in_use(), school.models.versions()) == (SHIPPED_NAME, [])

    def test_a_second_learn_at_the_same_time_is_told_so(self, school: School) -> None:
        with school.models.learning():
            told = school.learn()
        assert told.exit_code == 2
        assert "another `alliance learn` is at work" in told.stderr

    def test_a_mailbox_that_cannot_be_read_is_named_and_nothing_is_learned(
        self, school: School, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.corrected(school, 2)

        def refused(mailbox: object, message_id: str) -> RawMessage:
            raise AuthenticationFailed("the password was refused")

        monkeypatch.setattr(MaildirMailbox, "fetch", refused)
        told = school.learn()
        assert told.exit_code == 1
        assert f"{RIVERA}: the password was refused" in told.stderr
        assert "No corrections" in school.learn("--without", RIVERA).stdout

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("learn", "--without", "nobody@maple.example"), "nobody@maple.example"),
            (("model", "use", "2026-01-01-0123456789ab"), "there is no model"),
            (("model", "rollback"), "no other model"),
        ],
    )
    def test_what_is_wrong_is_one_sentence(self, school: School, arguments: tuple[str, ...], says: str) -> None:
        told = school.call(*arguments)
        assert told.exit_code == 2
        assert says in told.stderr
        assert len(told.stderr.strip().splitlines()) == 1

    def test_with_a_database_server_the_folder_has_to_be_named(self, school: School, tmp_path: Path) -> None:
        assert models_of(Service(database="postgresql://db.example/alliance")) is None
        named = models_of(Service(database="postgresql://db.example/alliance", models=tmp_path))
        assert named is not None
        assert named.folder == tmp_path


def damage(models: Models, version: str) -> None:
    file = models.folder / version / "alliance_questions" / "weights.npy"
    file.write_bytes(file.read_bytes()[:-1000])


def remove(models: Models, version: str) -> None:
    shutil.rmtree(models.folder / version)


def scribble(models: Models, version: str) -> None:
    (models.folder / "in-use.json").write_text("{")


class TestAModelInUseThatIsBroken:
    @pytest.mark.parametrize("breaks", [damage, remove, scribble])
    def test_the_service_goes_on_with_the_shipped_one_and_says_so_loudly(
        self, school: School, breaks: Callable[[Models, str], None]
    ) -> None:
        breaks(school.models, keep_a_copy_of_the_shipped_model(school.models))
        school.write("Thank you for the field trip.")
        ran = school.run()
        assert "the shipped one takes its place" in ran.stderr
        assert '"level": "error"' in ran.stderr
        assert school.models_that_judged() == [classifier.load().version]
        doctor = json.loads(school.call("doctor", "--json").stdout)
        (failing,) = [each for each in doctor["findings"] if each["level"] == "fail"]
        assert failing["about"] == "classifier"
        assert "alliance model use shipped" in failing["fix"]
        assert school.call("model", "list").exit_code == 0
        assert school.call("model", "use", SHIPPED_NAME).exit_code == 0
        assert "takes its place" not in school.run().stderr

    def test_one_that_was_made_on_top_of_an_older_shipped_model_is_pointed_out(self, school: School) -> None:
        keep_a_copy_of_the_shipped_model(school.models)
        doctor = json.loads(school.call("doctor", "--json").stdout)
        (warned,) = [each for each in doctor["findings"] if each["about"] == "classifier" and each["level"] == "warn"]
        assert "alliance learn" in warned["fix"]


class TestWhichModelOtherCommandsTake:
    def judged_by(self, *arguments: str) -> str:
        told = CliRunner().invoke(app, ["classify", "--json", *arguments], input="Thank you for the field trip.")
        assert told.exit_code == 0, told.output
        return str(json.loads(told.stdout)["model"])

    def test_classify_takes_the_one_in_use_where_there_is_a_configuration_and_the_one_it_is_told(
        self, school: School, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        version = keep_a_copy_of_the_shipped_model(school.models)
        folder = school.models.folder / version
        meta = json.loads((folder / "meta.json").read_text())
        (folder / "meta.json").write_text(json.dumps(meta | {"name": "maple"}))
        assert self.judged_by().startswith("alliance-")
        monkeypatch.chdir(school.folder)
        assert self.judged_by().startswith("maple-")
        assert self.judged_by("--model", "shipped").startswith("alliance-")
        school.call("model", "use", "shipped")
        assert self.judged_by().startswith("alliance-")
        assert self.judged_by("--model", version).startswith("maple-")
        assert self.judged_by("--model", str(folder)).startswith("maple-")


def test_a_real_process_that_learns_is_killed_and_the_next_one_starts_clean(school: School) -> None:
    TestTheCommand().corrected(school, 4)
    command = [sys.executable, "-c", "from service.cli import main; main()", "learn", "--config", str(school.config)]
    with subprocess.Popen([*command, "--corpus", str(school.corpus)], cwd=ROOT, stdout=subprocess.PIPE) as learning:
        assert learning.stdout is not None
        learning.stdout.readline()  # the letters are read, learning has begun
        learning.kill()
    assert learning.returncode == -9
    assert school.models.in_use() == SHIPPED_NAME
    with school.models.learning():
        assert list(school.models.folder.glob("[!.]*")) == []
