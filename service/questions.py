"""Questions on the terminal whose answers are checked at once."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, TypeAdapter, ValidationError

from config.faults import ConfigError

_Answer = TypeVar("_Answer")
_LARGEST_SECRET = 100_000
"""Characters; a key with its certificate has some thousands."""


class Questions:
    """Asks for what was not given as an option. Without a person (`ask` false), defaults answer."""

    def __init__(self, *, ask: bool) -> None:
        """`ask` says whether there is a person to ask."""
        self._ask = ask

    @property
    def can_ask(self) -> bool:
        """Whether there is a person to ask."""
        return self._ask

    def answer(
        self,
        option: str,
        question: str,
        check: Callable[[str], _Answer],
        *,
        given: str | None = None,
        default: str | None = None,
    ) -> _Answer:
        """The checked answer. A wrong answer is asked for again; a wrong or missing option ends the command with exit
        code 2 and a sentence that names it."""
        if given is None and self._ask:
            # An empty default is shown to nobody and taken for "none".
            show = default != ""
            return typer.prompt(question, default=default, show_default=show, value_proc=_asked(check))  # type: ignore[no-any-return]
        text = default if given is None else given
        if text is None:
            raise _refused(option, "is needed where nobody can be asked")
        try:
            return check(text)
        except ValueError as error:
            raise _refused(option, f"expected {expected(error)}") from error

    def answers(
        self, option: str, question: str, check: Callable[[str], _Answer], *, given: list[str]
    ) -> tuple[_Answer, ...]:
        """Checked answers until an empty one, or those given as options."""
        if given or not self._ask:
            return tuple(self.answer(option, question, check, given=text) for text in given)
        answers: list[_Answer] = []
        while (one := self.answer(option, question, _or_none(check), default="")) is not None:
            answers.append(one)
        return tuple(answers)

    def yes(self, question: str, *, default: bool) -> bool:
        """Whether a person says yes; `default` where nobody can be asked."""
        return typer.confirm(question, default=default) if self._ask else default

    def secret(self, option: str, question: str, *, file: str | None = None, kept: bool = False) -> str | None:
        """A secret: from `file` ("-" is standard input), else typed without being shown; never from the command line.
        None where nobody can be asked, or just Enter is pressed, and one is `kept` already. A file's last line break
        does not count."""
        if file is not None:
            return _secret_in(option, file)
        if self._ask:
            typed = typer.prompt(
                question + (" (not shown; Enter keeps the one that is stored)" if kept else " (not shown)"),
                hide_input=True,
                default="" if kept else None,
                show_default=False,
            )
            return str(typed) or None
        if not kept:
            raise _refused(option, "is needed where nobody can be asked")
        return None


def _secret_in(option: str, file: str) -> str:
    try:
        secret = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise _refused(option, f"names {file}, which cannot be read: {why}") from error
    secret = secret.removesuffix("\n").removesuffix("\r")
    if not secret.strip() or len(secret) > _LARGEST_SECRET:
        raise _refused(option, f"names {file}, which is {'too large' if secret.strip() else 'empty'}")
    return secret


def for_field(model: type[BaseModel], name: str) -> Callable[[str], Any]:
    """Checks an answer as the configuration will. Lists are written with spaces or commas."""
    field = model.model_fields[name]
    kind: Any = Annotated[field.annotation, field]
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    if str(field.annotation).startswith("tuple"):
        return lambda text: adapter.validate_python([word.lower() for word in re.split(r"[\s,]+", text) if word])
    return lambda text: adapter.validate_python(text.strip())


def expected(error: ValueError) -> str:
    """What was expected instead, in words."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        cause = first.get("ctx", {}).get("error")
        words = str(cause) if cause is not None else re.sub(r"^.*? should (be|have) ", "", first["msg"])
        return words.replace(" is expected", "")
    return str(error)


def _or_none(check: Callable[[str], _Answer]) -> Callable[[str], _Answer | None]:
    return lambda text: check(text) if text.strip() else None


def _asked(check: Callable[[str], _Answer]) -> Callable[[str], _Answer]:
    def checked(text: str) -> _Answer:
        try:
            return check(str(text))
        except ValueError as error:
            raise typer.BadParameter(f"expected {expected(error)}") from error
        except ConfigError as error:
            raise typer.BadParameter(str(error)) from error

    return checked


def _refused(option: str, why: str) -> typer.Exit:
    typer.echo(f"{option} {why}", err=True)
    return typer.Exit(2)
