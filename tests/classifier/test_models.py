"""The school's own models on disk: whole or not there, whatever happens while they are written."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from classifier.comparison import Comparison, Pair, Ranking, Score
from classifier.errors import ModelError
from classifier.models import NEWEST_KEPT, SHIPPED_NAME, Learned, Models, NothingNew

ROOT = Path(__file__).parents[2]
MARCH = datetime(2026, 3, 3, 16, 0, tzinfo=UTC)
STEPS = ("saved", "on disk", "named", "written down", "in use")


def numbers(content: str) -> Callable[[Path], None]:
    """Writes what stands for a model here: its numbers in a folder."""

    def save(folder: Path) -> None:
        (folder / "alliance_questions").mkdir(parents=True)
        (folder / "alliance_questions" / "weights.npy").write_text(content)
        (folder / "config.cfg").write_text("[nlp]")

    return save


def learned(at: datetime = MARCH, corrections: int = 7) -> Learned:
    score = Score(n=10, urgent=4, urgent_recall=0.75, macro_f1=0.8)
    pair = Pair(in_use=score, new=score)
    comparison = Comparison(corpus=pair, kept_back=pair, learned=pair, ranking=Ranking(without=0.9, new=0.9))
    return Learned(at=at, corrections=corrections, shipped="alliance-2.0.0+abc", comparison=comparison)


@pytest.fixture
def models(tmp_path: Path) -> Models:
    return Models(tmp_path / "models")


def test_before_anything_was_learned_the_shipped_model_is_in_use(models: Models) -> None:
    assert (models.in_use(), models.versions(), models.path(SHIPPED_NAME)) == (SHIPPED_NAME, [], None)
    assert not models.folder.exists()


def test_what_is_kept_is_in_use_at_once_and_says_where_it_comes_from(models: Models) -> None:
    version = models.keep(numbers("1 2 3"), learned(), instead_of=SHIPPED_NAME)
    assert models.in_use() == version
    assert models.learned(version) == learned()
    path = models.path(version)
    assert path is not None
    assert (path / "alliance_questions" / "weights.npy").read_text() == "1 2 3"
    assert [(each.name, each.trouble) for each in models.versions()] == [(version, "")]


def test_only_the_service_s_user_may_look_into_the_folder(models: Models) -> None:
    models.keep(numbers("1"), learned(), instead_of=SHIPPED_NAME)
    assert models.folder.stat().st_mode & 0o077 == 0


def test_rollback_goes_back_step_by_step_and_ends_at_the_shipped_model(models: Models) -> None:
    first = models.keep(numbers("1"), learned(), instead_of=SHIPPED_NAME)
    second = models.keep(numbers("2"), learned(), instead_of=first)
    models.use(SHIPPED_NAME)
    assert [models.rollback() for _ in range(3)] == [second, first, SHIPPED_NAME]
    with pytest.raises(ModelError, match="no other model was in use before"):
        models.rollback()
    assert models.in_use() == SHIPPED_NAME


def test_using_what_is_in_use_leaves_the_way_back_as_it_was(models: Models) -> None:
    version = models.keep(numbers("1"), learned(), instead_of=SHIPPED_NAME)
    models.use(version)
    models.use(version)
    assert models.rollback() == SHIPPED_NAME


def test_rollback_passes_over_a_version_that_is_gone_or_damaged(models: Models) -> None:
    first = models.keep(numbers("1"), learned(), instead_of=SHIPPED_NAME)
    models.keep(numbers("2"), learned(), instead_of=first)
    (models.folder / first / "alliance_questions" / "weights.npy").write_text("9")
    assert models.rollback() == SHIPPED_NAME


@pytest.mark.parametrize(
    "name", ["2026-03-03-000000000000", "", ".", "..", "../models", "2026-03-03-000000000000/..", "Shipped"]
)
def test_a_version_that_is_not_there_is_refused_and_nothing_changes(models: Models, name: str) -> None:
    version = models.keep(numbers("1"), learned(), instead_of=SHIPPED_NAME)
    with pytest.raises(ModelError, match="there is no model"):
        models.use(name)
    assert models.in_use() == version


@pytest.mark.parametrize("file", ["alliance_questions/weights.npy", "learned.json"])
@pytest.mark.parametrize("damage", [b"", b"\x00\xff half a mod"])
def test_a_damaged_version_is_named_and_never_used(models: Models, file: str, damage: bytes) -> None:
    version = models.keep(numbers("1"), learned(), instead_of=SHIPPED_NAME)
    (models.folder / version / file).write_bytes(damage)
    with pytest.raises(ModelError, match="damaged"):
        models.path(version)
    with pytest.raises(ModelError, match="damaged"):
        models.use(version)
    (shown,) = models.versions()
    assert "damaged" in shown.trouble


@pytest.mark.parametrize("damage", ["", "{", '{"used": 3}', '{"used": ['])
def test_where_nobody_can_tell_what_is_in_use_that_is_said_and_use_puts_it_right(models: Models, damage: str) -> None:
    version = models.keep(numbers("1"), learned(), instead_of=SHIPPED_NAME)
    (models.folder / "in-use.json").write_text(damage)
    with pytest.raises(ModelError, match=r"in-use\.json is damaged"):
        models.in_use()
    models.use(version)
    assert models.in_use() == version


def test_a_model_that_is_the_same_number_for_number_is_not_kept_twice(models: Models) -> None:
    version = models.keep(numbers("1"), learned(), instead_of=SHIPPED_NAME)
    with pytest.raises(NothingNew):
        models.keep(numbers("1"), learned(MARCH + timedelta(days=1)), instead_of=version)
    assert [each.name for each in models.versions()] == [version]


def test_a_damaged_model_in_use_is_replaced_by_the_same_one_learned_anew(models: Models) -> None:
    version = models.keep(numbers("1"), learned(), instead_of=SHIPPED_NAME)
    (models.folder / version / "alliance_questions" / "weights.npy").write_text("9")
    assert models.keep(numbers("1"), learned(), instead_of=version) == version
    assert models.path(version) is not None


def test_a_model_that_was_compared_with_another_than_is_in_use_now_is_not_kept(models: Models) -> None:
    version = models.keep(numbers("1"), learned(), instead_of=SHIPPED_NAME)
    with pytest.raises(ModelError, match="changed from shipped"):
        models.keep(numbers("2"), learned(), instead_of=SHIPPED_NAME)
    assert [each.name for each in models.versions()] == [version]


def test_old_versions_go_but_never_the_one_in_use_or_the_one_before_it(models: Models) -> None:
    made = [models.keep(numbers("0"), learned(), instead_of=SHIPPED_NAME)]
    models.keep(numbers("1"), learned(MARCH + timedelta(days=1)), instead_of=made[0])
    models.use(made[0])
    for number in range(2, NEWEST_KEPT + 4):
        made.append(models.keep(numbers(str(number)), learned(MARCH + timedelta(days=number)), instead_of=made[0]))
        models.use(made[0])
    names = [each.name for each in models.versions()]
    assert names == [made[0], *made[-NEWEST_KEPT:]]


def test_two_learn_at_once_and_the_second_is_told_so(models: Models) -> None:
    with models.learning():
        with pytest.raises(ModelError, match="another `alliance learn` is at work"), Models(models.folder).learning():
            pass
        models.use(SHIPPED_NAME)  # what takes no time need not wait
    with models.learning():
        pass


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from classifier.models import Models
from tests.classifier.test_models import learned, numbers
def step(name):
    if name == {step!r}:
        {then}
models = Models(Path({folder!r}), on_step=step)
with models.learning():
    models.keep(numbers("new" * 100), learned(), instead_of={instead_of!r})
"""


def child(models: Models, step: str, then: str, instead_of: str) -> "subprocess.CompletedProcess[str]":
    """Another process that keeps a second model, and at a step does something about it."""
    program = CHILD.format(root=str(ROOT), step=step, then=then, folder=str(models.folder), instead_of=instead_of)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_of_writing_the_old_model_or_the_new_one_is_in_use_and_whole(
    models: Models, step: str
) -> None:
    old = models.keep(numbers("old"), learned(), instead_of=SHIPPED_NAME)
    killed = child(models, step, "os.kill(os.getpid(), signal.SIGKILL)", old)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    used = models.in_use()
    assert (used == old) is (step != "in use")
    assert models.path(used) is not None
    assert all(not each.trouble for each in models.versions())
    with models.learning():  # no lock is left behind, and no litter
        assert not list(models.folder.glob(".unfinished-*"))
    if used == old:
        models.keep(numbers("new" * 100), learned(), instead_of=old)
    assert models.path(models.in_use()) != models.path(old)
    assert models.rollback() == old


@pytest.mark.parametrize("step", [None, "saved", "on disk", "named"])
def test_a_disk_that_is_full_at_any_step_leaves_everything_as_it_was(models: Models, step: str | None) -> None:
    old = models.keep(numbers("old"), learned(), instead_of=SHIPPED_NAME)
    before = json.dumps([models.in_use(), [each.name for each in models.versions()]])
    # A limit on the size of files refuses writes as a full disk does, in the middle of one.
    full = "__import__('resource').setrlimit(__import__('resource').RLIMIT_FSIZE, (20, 20))"
    program_step, then = (step, full) if step else ("never", "pass")
    program = CHILD.format(root=str(ROOT), step=program_step, then=then, folder=str(models.folder), instead_of=old)
    if step is None:
        program = program.replace("with models.learning():", f"{full}\nwith models.learning():")
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert "cannot be written" in told.stderr, told.stderr
    assert "the model in use stays" in told.stderr
    assert json.dumps([models.in_use(), [each.name for each in models.versions()]]) == before
    assert models.path(old) is not None
    assert not list(models.folder.glob(".unfinished-*"))


def test_a_disk_that_is_full_at_the_last_step_of_all_changes_nothing_because_that_step_needs_no_room(
    models: Models,
) -> None:
    old = models.keep(numbers("old"), learned(), instead_of=SHIPPED_NAME)
    full = "__import__('resource').setrlimit(__import__('resource').RLIMIT_FSIZE, (20, 20))"
    told = child(models, "written down", full, old)
    assert told.returncode == 0, told.stderr
    assert models.path(models.in_use()) != models.path(old)


def test_a_folder_that_may_not_be_written_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("no folder")
    with pytest.raises(ModelError, match="cannot be written"):
        Models(tmp_path / "models").use(SHIPPED_NAME)
    assert (tmp_path / "models").read_text() == "no folder"
