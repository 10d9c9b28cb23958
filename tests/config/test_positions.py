"""Line numbers of keys, against what tomllib makes of the same file."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.positions import locate

FILE = """\
# a comment
top.dotted."quoted key" = 1
inline = { one = 1, two.three = [ 1, { four = 4 } ] }

[table]
text = '''
not = "a key"
[nor.a.table]
'''
many = [
    "first",  # a comment
    # another
    "second", [
        "deep",
    ],
]

[[item]]
name = 1

[[item]]
name = 2
[item.below]
key = 3
  [[item.part]]
  [[item.part]]
  key = 4

[[item]]
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("top", "dotted", "quoted key"), 2),
        (("inline", "two", "three", 1, "four"), 3),
        (("table",), 5),
        (("table", "text"), 6),
        (("table", "many", 0), 11),
        (("table", "many", 1), 13),
        (("table", "many", 2, 0), 14),
        (("item", 0, "name"), 19),
        (("item", 1), 21),
        (("item", 1, "name"), 22),
        (("item", 1, "below", "key"), 24),
        (("item", 1, "part", 1), 26),
        (("item", 1, "part", 1, "key"), 27),
        (("item", 2), 29),
    ],
    ids=str,
)
def test_a_key_is_found_on_its_line(path, line):
    assert locate(FILE.encode()).line_of(path) == line


@pytest.mark.parametrize(
    ("path", "line"),
    [(("item", 1, "missing"), 21), (("table", "missing", "deep"), 5), (("missing",), 1), ((), 1)],
    ids=str,
)
def test_a_missing_key_is_reported_where_it_should_stand(path, line):
    assert locate(FILE.encode()).line_of(path) == line


def test_a_table_whose_part_comes_first_is_found_at_its_own_header():
    assert locate(b"[a.b]\nx = 1\n[a]\ny = 2\n").line_of(("a",)) == 3


def test_windows_line_ends_and_letters_of_other_scripts_count_as_one_line_each():
    assert locate('a = "ü한"\r\n"clé" = 1\r\nb = 2\r\n'.encode()).line_of(("b",)) == 3


_names = st.sampled_from(["a", "b-1", "C_c", "ключ", "with space", 'quo"te', "dot.ted", "1"])
_scalars = st.sampled_from(["1", '"text"', "true", "2026-09-01", "08:00:00", "1.5", '"""\nlong\n"""', "'lit # eral'"])


@st.composite
def _values(draw, depth=0):
    kind = draw(st.sampled_from(["scalar", "scalar", "list", "table"] if depth < 2 else ["scalar"]))
    if kind == "list":
        gap = draw(st.sampled_from(["", "\n", "\n# , ] note\n"]))
        items = draw(st.lists(_values(depth + 1), max_size=3))
        return "[" + ",".join(gap + item for item in items) + gap + "]"
    if kind == "table":
        pairs = draw(st.dictionaries(_names, _values(depth + 1), max_size=3))
        return "{" + ", ".join(f"{_key(name)} = {value}" for name, value in pairs.items()) + "}"
    return draw(_scalars)


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("-", "").replace("_", "").isalnum() else f"'{name}'"


@st.composite
def _documents(draw):
    lines = []
    tables = draw(
        st.lists(st.tuples(_names, st.booleans(), st.dictionaries(_names, _values(), max_size=3)), max_size=4)
    )
    arrays: set[str] = set()
    used: set[str] = set()
    for name, repeated, pairs in tables:
        if name in used and not (repeated and name in arrays):
            continue
        used.add(name)
        if repeated:
            arrays.add(name)
        lines.append(f"[[ {_key(name)} ]] # note" if repeated else f"[{_key(name)}]")
        lines += [f"{_key(key)} = {value}" for key, value in pairs.items()]
        lines += draw(st.sampled_from([[], ["", "# note"]]))
    return "\n".join(lines)


def _leaves(value, path=()):
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for part, inner in pairs:
            yield from _leaves(inner, (*path, part))
    else:
        yield path, value


@given(_documents())
def test_every_value_that_tomllib_reads_has_a_line_that_names_its_key(document):
    positions = locate(document.encode())
    lines = document.split("\n")
    for path, _ in _leaves(tomllib.loads(document)):
        assert path in positions._lines
        if isinstance(path[-1], str):
            assert path[-1] in lines[positions.line_of(path) - 1]
