"""Every regular expression of our packages, and strings made to make each take long."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

PACKAGES = ("config", "connectors", "classifier", "autoresponder", "store", "scorecard", "service")
ROOT = Path(__file__).parents[2]
_NOT_IMPORTED = ("connectors.contract", "classifier.encoder_training", "store.migrations", "service.__main__")
_SEARCHES = frozenset({"search", "sub", "subn", "split", "finditer", "findall"})
_WHOLE = frozenset({"match", "fullmatch"})
_CALLS = _SEARCHES | _WHOLE | {"compile"}


@dataclass(frozen=True)
class Found:
    """A pattern, the places where it stands, and whether it is looked for anywhere in a text or only at a place."""

    where: tuple[str, ...]
    pattern: re.Pattern[Any]
    searches: bool

    def __str__(self) -> str:
        return ", ".join(self.where)


@cache
def every_pattern() -> Sequence[Found]:
    """Each compiled pattern that a module holds, however deep in its tables, and each that stands in a call."""
    places: dict[tuple[re.Pattern[Any], bool], list[str]] = {}
    for module in sorted(_modules(), key=lambda each: each.__name__):
        source = Path(module.__file__).read_text("utf-8")
        for name, value in sorted(vars(module).items()):
            for pattern in _within(value, 0):
                anywhere = _is_searched(name, (source, *_takers(name, module.__name__)))
                places.setdefault((pattern, anywhere), []).append(f"{module.__name__}.{name}")
        for line, pattern, anywhere in _in_calls(source):
            places.setdefault((pattern, anywhere), []).append(f"{module.__name__}:{line}")
    return tuple(Found(tuple(where), pattern, anywhere) for (pattern, anywhere), where in places.items())


def made_at_run_time() -> Iterator[str]:
    """The calls (module:line) that make a pattern within a function, out of more than a literal."""
    for module in _modules():
        for call, inside in _calls(_parsed(Path(module.__file__).read_text("utf-8"))):
            if inside and call.args and not _is_literal(call.args[0]):
                yield f"{module.__name__}:{ast.unparse(call)[:70]}"


def attacks(pattern: re.Pattern[Any], size: int) -> Iterator[Any]:
    """Strings of about `size` characters that repeat what the pattern repeats, and then fail it."""
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    seen: set[str] = set()
    for prefix, body in islice(_repeats(list(tree), ""), 60):
        for pump in (body, body[:1], body[-1:]):
            if not pump:
                continue
            times = (size - len(prefix) - 1) // len(pump)
            for text in (
                prefix + pump * times + "\x00",
                pump * times + "\x00",
                (prefix + pump) * (size // (len(prefix) + len(pump))),
                prefix + (pump + " ") * (times // 2),
            ):
                if text not in seen and not seen.add(text):  # type: ignore[func-returns-value]
                    yield (
                        text[:size].encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text[:size]
                    )


def _modules() -> Iterator[Any]:
    for package in PACKAGES:
        yield importlib.import_module(package)
        for each in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if not each.name.startswith(_NOT_IMPORTED):
                yield importlib.import_module(each.name)


def _within(value: object, depth: int) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth < 4 and isinstance(value, dict):
        for each in (*value.keys(), *value.values()):
            yield from _within(each, depth + 1)
    elif depth < 4 and isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _within(each, depth + 1)
    elif depth < 2 and (hasattr(value, "__dict__") and type(value).__module__.partition(".")[0] in PACKAGES):
        yield from _within(dict(vars(value)), depth + 1)
    elif isinstance(value, type) and value.__module__.partition(".")[0] in PACKAGES and depth == 0:
        yield from _within({k: v for k, v in vars(value).items() if not k.startswith("__")}, depth + 1)


def _is_searched(name: str, sources: Iterable[str]) -> bool:
    call = re.compile(rf"\b{re.escape(name)}(?:\[[^\]]*\])?\.(\w+)\(")
    used = {method for source in sources for method in call.findall(source)}
    return not used or bool(used & _SEARCHES)  # used in a way that is not seen here: as the worst


@cache
def _sources() -> tuple[str, ...]:
    return tuple(path.read_text("utf-8") for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))


def _takers(name: str, module: str) -> Iterator[str]:
    """The modules' sources that take the pattern from where it stands."""
    begins = f"from {module} import "
    taken = re.compile(rf"{re.escape(begins)}(?:\([^)]*\b{re.escape(name)}\b|[^\n(]*\b{re.escape(name)}\b)")
    return (text for text in _sources() if begins in text and taken.search(text))


_ASKED = re.compile(rf"\bre\.(?:{'|'.join(sorted(_CALLS))})\(")


def _parsed(source: str) -> ast.Module:
    """The source as a tree; of a module without patterns an empty one, since parsing takes long."""
    return ast.parse(source if _ASKED.search(source) else "")


def _calls(tree: ast.AST, inside: bool = False) -> Iterator[tuple[ast.Call, bool]]:
    for node in ast.iter_child_nodes(tree):
        within = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in _CALLS and ast.unparse(called.value) == "re":
            assert isinstance(node, ast.Call)
            yield node, within
        yield from _calls(node, within)


def _in_calls(source: str) -> Iterator[tuple[int, re.Pattern[Any], bool]]:
    for call, inside in _calls(_parsed(source)):
        if inside and call.args and _is_literal(call.args[0]):
            assert isinstance(call.func, ast.Attribute)
            flags = next((eval(ast.unparse(k.value), {"re": re}) for k in call.keywords if k.arg == "flags"), 0)
            yield call.lineno, re.compile(ast.literal_eval(call.args[0]), flags), call.func.attr in _SEARCHES


def _is_literal(node: ast.expr) -> bool:
    try:
        return isinstance(ast.literal_eval(node), str | bytes)
    except (ValueError, SyntaxError):
        return False


def _repeats(tree: Sequence[Any], before: str) -> Iterator[tuple[str, str]]:
    """Each repetition of a parsed pattern: a text that leads to it, and one that it repeats."""
    for code, value in tree:
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            least, most, body = value
            sample = _sample(body)
            if most > 10:
                for other in (sample, *_others(body)):
                    yield before, other
            yield from _repeats(list(body), before)
            before += sample * min(least, 50)
        elif code is codes.SUBPATTERN:
            yield from _repeats(list(value[3]), before)
            before += _sample(value[3])
        elif code is codes.BRANCH:
            for branch in value[1]:
                yield from _repeats(list(branch), before)
            before += _sample(value[1][0])
        elif code in (codes.ASSERT, codes.ASSERT_NOT):
            yield from _repeats(list(value[1]), before)
        elif code is codes.ATOMIC_GROUP:
            yield from _repeats(list(value), before)
            before += _sample(value)
        else:
            before += _sample([(code, value)])


def _others(body: Iterable[Any]) -> Iterator[str]:
    """Further texts that a body matches: each branch's, and other characters of a class."""
    parts = list(body)
    for code, value in parts:
        if code is codes.SUBPATTERN:
            yield from islice(_others(value[3]), 6)
        elif code is codes.BRANCH:
            yield from (_sample(branch) for branch in value[1][:6])
        elif code is codes.IN and len(parts) == 1:
            yield from (_sample([one]) for one in value[:6] if one[0] is not codes.NEGATE)
            yield from (character for character in " a1.-<>\"'\n" if _in_class(value, character))


def _in_class(value: Any, character: str) -> bool:
    try:
        return re.match(_class_source(value), character) is not None
    except re.error:
        return False


def _class_source(value: Any) -> str:
    parts = []
    for code, what in value:
        if code is codes.NEGATE:
            parts.insert(0, "^")
        elif code is codes.LITERAL:
            parts.append(re.escape(chr(what)))
        elif code is codes.RANGE:
            parts.append(f"{re.escape(chr(what[0]))}-{re.escape(chr(what[1]))}")
        elif code is codes.CATEGORY:
            parts.append(_CATEGORIES.get(what, "\\w"))
    return f"[{''.join(parts)}]"


_CATEGORIES = {
    codes.CATEGORY_DIGIT: "\\d",
    codes.CATEGORY_NOT_DIGIT: "\\D",
    codes.CATEGORY_SPACE: "\\s",
    codes.CATEGORY_NOT_SPACE: "\\S",
    codes.CATEGORY_WORD: "\\w",
    codes.CATEGORY_NOT_WORD: "\\W",
}
_OF_CATEGORY = {"\\d": "1", "\\D": "a", "\\s": " ", "\\S": "a", "\\w": "a", "\\W": " "}


def _sample(tree: Iterable[Any]) -> str:  # noqa: C901 - a case for each kind of node
    """A short text that the parsed pattern matches, as far as that can be told."""
    text = ""
    for code, value in tree:
        if code is codes.LITERAL:
            text += chr(value)
        elif code is codes.NOT_LITERAL:
            text += "a" if value != ord("a") else "b"
        elif code is codes.ANY:
            text += "a"
        elif code is codes.IN:
            text += _of_class(value)
        elif code is codes.CATEGORY:
            text += _OF_CATEGORY[_CATEGORIES.get(value, "\\w")]
        elif code is codes.RANGE:
            text += chr(value[0])
        elif code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            text += _sample(value[2]) * min(max(value[0], 1), 50)
        elif code is codes.SUBPATTERN:
            text += _sample(value[3])
        elif code is codes.BRANCH:
            text += _sample(value[1][0])
        elif code is codes.ATOMIC_GROUP:
            text += _sample(value)
    return text


def _of_class(value: Any) -> str:
    if value and value[0][0] is codes.NEGATE:
        return next((each for each in "a1 -!b<é" if _in_class(value, each)), "a")
    return _sample(value[:1])
