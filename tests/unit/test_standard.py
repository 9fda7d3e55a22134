"""standard.toml as a person writes it: what it gives, and errors that point to the line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runner.errors import StandardError
from runner.standard import EnumStandard, load_standard
from runner.standard.lines import Lines
from runner.standard.load import ENUM_KEYS, TABLE_KEYS
from runner.standard.modules import shared_enums

HEAD = '[service]\nname = "s"\n\n[enum.State]\nvalues = [\n    "OPEN",\n    "CLOSED",\n]\n'
# Where what stands behind HEAD begins.
NEXT = HEAD.count("\n") + 1


def load(tmp_path: Path, text: str) -> str:
    path = tmp_path / "standard.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StandardError) as caught:
        load_standard(path)
    return str(caught.value).replace(f"{path}:", "")


ERRORS = {
    "unknown key": ('[table.ts]\nname = "t"\nuuid = ["id"]', 2, "has no key uuid"),
    "unknown paragraph": ('[tables.ts]\nname = "t"', 0, "the file has no key tables"),
    "unknown enum": (
        '[table.as]\nname = "Stat"\n[table.ts]\nenums.a = "State"\nenums.b = "Stat"',
        4,
        "ts.b: there is no enum Stat",
    ),
    "unknown enum in one line": (
        '[table.ts]\nenums = { a = "State", b = "Stat" }',
        1,
        "ts.b: there is no enum Stat",
    ),
    "no such value": (
        '[enum.E]\nvalues = ["A", "B"]\nmap = { X = "A", Y = "C" }',
        2,
        "C is not a value of the enum",
    ),
    "no such value back": (
        '[enum.E]\nvalues = ["A"]\nback = { C = "a" }',
        2,
        "C is not a value of the enum",
    ),
    "one name wanted twice": (
        '[table.ts]\nname = "t"\n[table.tts]\nuuids = ["t"]\nname = "t"',
        4,
        "tables ts and tts would both get the name t",
    ),
    "a name that another table keeps": (
        '[table.t]\nuuids = ["id"]\n[table.ts]\nname = "t"',
        3,
        "tables t and ts would both get the name t",
    ),
    "a column twice": (
        '[table.ts]\nname = "a"\nuuids = [\n    "a",\n    "b",\n]\nenums.b = "State"',
        6,
        "ts.b is in uuids and in enums",
    ),
    "a uuid twice": ('[table.ts]\nuuids = [\n    "b",\n    "b",\n]', 2, "ts.b is in uuids twice"),
    "renamed and converted": (
        '[table.ts]\nenums.b = "State"\ncolumns.b = "c"',
        2,
        "ts.b is in enums and in columns",
    ),
    "kept without an enum": (
        '[table.ts]\nname = "b"\nkeep_original.b = "b_old"',
        2,
        "keep_original names ts.b, which is not in enums",
    ),
    "a CHECK of nothing": (
        '[table.ts]\nname = "b"\nchecks.b = "b_ok"',
        2,
        "checks names ts.b, which is in neither enums nor integers",
    ),
    "two columns of one name": (
        '[table.ts]\nenums.b = "State"\nkeep_original.b = "c"\ncolumns.d = "c"',
        2,
        "ts would have two columns named c",
    ),
    "two CHECKs of one name": (
        '[table.ts]\nenums = { a = "State", b = "State" }\nchecks.a = "c"\nchecks.b = "c"',
        3,
        "ts would have two CHECKs named c",
    ),
    "a long name": (f'[table.ts]\nname = "{"é" * 32}"', 1, "has 64 bytes"),
    "a long CHECK": (
        f'[table.ts]\nenums.a = "State"\nchecks.a = "{"x" * 64}"',
        2,
        "has 64 bytes",
    ),
    "a lowercase value": (
        '[enum.E]\nvalues = [\n    "A",\n    "b",\n]',
        3,
        "E: the value b is not in upper case",
    ),
    "a value twice": ('[enum.E]\nvalues = ["A", "A"]', 1, "E has the value A twice"),
    "no value": ("[enum.E]\nvalues = []", 1, "E has no values"),
    "no values": ('[enum.E]\nmap = { X = "A" }', 0, "[enum.E] has no values"),
    "a map to itself": (
        '[enum.E]\nvalues = ["A"]\nmap = { a = "A" }',
        2,
        "map gives a itself",
    ),
    "a map of both cases": (
        '[enum.E]\nvalues = ["A"]\nmap.x = "A"\nmap.X = "A"',
        3,
        "map has X twice",
    ),
    "a map of a value": (
        '[enum.E]\nvalues = ["A", "B"]\nmap = { B = "A" }',
        2,
        "map turns B into A, but B is a value of the enum",
    ),
    "a way back that leads elsewhere": (
        '[enum.E]\nvalues = ["A", "B"]\nmap = { X = "A" }\nback = { B = "x" }',
        3,
        "back gives B the old value x, which becomes A",
    ),
    "integers that are texts": (
        '[table.ts]\nintegers.a = [1]\nintegers.b = ["1"]',
        2,
        "integers.b must be a list of integers",
    ),
    "an integer twice": ("[table.ts]\nintegers.a = [1, 1]", 1, "integers.a has a value twice"),
    "uuids that are a text": ('[table.ts]\nuuids = "id"', 1, "uuids must be a list of texts"),
    "an enum that is a list": ('[table.ts]\nenums.a = ["State"]', 1, "enums.a must be text"),
    "enums that are a text": ('[table.ts]\nenums = "State"', 1, "enums must be a table of texts"),
    "a name that is a number": ("[table.ts]\nname = 1", 1, "name must be text, not 1"),
    "a switch elsewhere": (
        '[table.ts]\nuuids = ["a"]\nswitch = "enforce"',
        2,
        "switch can be \"expand\" alone, not 'enforce'",
    ),
    "an empty name": ('[table.ts]\nname = ""', 1, "name must be text, not ''"),
    "a table that is a text": ('[table]\nts = "t"', 1, "table.ts must be a section"),
    "a schema without tables": ("[schema]\nbilling = 1", 1, "schema.billing must be a section"),
    "a table twice": (
        '[table.ts]\nname = "t"\n[schema.public.ts]\nname = "u"',
        2,
        "the table public.ts has two sections",
    ),
}


@pytest.mark.parametrize(("text", "line", "message"), ERRORS.values(), ids=ERRORS)
def test_an_error_points_to_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    found = load(tmp_path, f"{HEAD}{text}\n")
    number, _, rest = found.partition(": ")
    assert message in rest
    assert int(number) == NEXT + line, found


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "there is no [service] section"),
        ('[enum.E]\nvalues = ["A"]', 1, "there is no [service] section"),
        ('[service]\nschema = "x"', 1, "[service] has no name"),
        ('[service]\nname = "s"\nenum = "x"', 3, "[service] has no key enum"),
        ('[service]\nname = "s"\nswitch = true', 3, 'switch can be "expand" alone, not True'),
        ('[service]\nname = "s"\nenums = 1', 3, "enums must be text, not 1"),
        ('[service]\nname = "s"\nenums = "no.such"', 3, "the enums module no.such is not there"),
    ],
)
def test_an_error_of_the_service_points_to_its_line(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    number, _, rest = load(tmp_path, text).partition(": ")
    assert message in rest
    assert int(number) == line


def test_a_module_whose_enum_is_not_uppercase_is_refused_where_a_column_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_enums.py").write_text(
        'import enum\nclass Low(enum.Enum):\n    A = "a"\nclass Up(enum.Enum):\n    A = "A"\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    head = '[service]\nname = "s"\nenums = "their_enums"\n[table.ts]\nenums.a = "Up"\n'
    path = tmp_path / "standard.toml"
    path.write_text(head)
    assert load_standard(path).tables[0].enums["a"].values == ("A",)
    assert load(tmp_path, head + 'enums.b = "Low"').startswith(
        "6: Low: the value a is not in upper case"
    )


def test_enums_of_a_module_are_read_from_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "theirs"
    package.mkdir()
    (package / "__init__.py").write_text("from theirs.kinds import *\nfrom no.such import Gone\n")
    (package / "base.py").write_text(
        "from enum import Enum\nfrom . import kinds\nFIRST = 'FIRST'\n"
        "class Base(str, Enum):\n    def text(self): return ''\n"
    )
    (package / "kinds.py").write_text(
        "import enum, os\nfrom enum import StrEnum, auto\nfrom .base import FIRST, Base as Ours\n"
        "class Kind(Ours):\n    A: str = 'A'\n    B = 'B'\n    AGAIN = B\n    _x = 'C'\n"
        "    def f(self): ...\n"
        "class Small(enum.StrEnum):\n    ONE = enum.auto()\n    TWO = 'TWO'\n"
        "@enum.unique\nclass Plain(StrEnum):\n    '''Told.'''\n    ONE = auto()\n"
        "    def f(self): ...\n"
        "class Told:\n    def text(self): return ''\n"
        "class With(Told, str, enum.Enum):\n    A = 'A'\n"
        "from django.db import models\n"
        "class Label(models.TextChoices):\n    A = 'A', 'The first'\n"
        "try:\n    from enum import IntEnum\nexcept ImportError:\n    IntEnum = None\n"
        "class Number(IntEnum):\n    ONE = 1\n"
        "class Computed(enum.Enum):\n    A = os.environ['PATH']\n"
        "class Other:\n    A = 'A'\n    def __init__(self, name):\n        self.name = name\n"
        "    def fill(self, **given):\n        for name in given:\n"
        "            setattr(self, name, given[name])\n        return dict(self.__dict__)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = {enum.name: enum.values for enum in shared_enums("theirs") if not enum.unknown}
    assert found == {
        "Kind": ("A", "B", "C"),
        "Small": ("one", "TWO"),
        "Plain": ("one",),
        "With": ("A",),
        "Label": ("A",),
        "Number": ("1",),
    }


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ("class State(str, Enum):\n    A = 'A'\n    B = made()\n", "B = made()"),
        ("class State(str, Enum):\n    A = 'A'\n    B = CHANGED\n", "B = CHANGED"),
        ("class State(str, Enum):\n    A = 'A'\n    for B in 'BC': pass\n", "for B in 'BC':"),
        ("class State(str, Enum):\n    A = 'A', 1\n", "A = ('A', 1)"),
        ("class State(Upper):\n    A = auto()\n", "class State(Upper)"),
        ("class State(Mixin, Enum):\n    A = 'A'\n", "class State(Mixin)"),
        ("class State(Enum):\n    A = 'A'\n    def __init__(self, _): ...\n", "def __init__"),
        ("class State(Enum):\n    A = True\n", "A = True"),
        ("class State(Enum):\n    A = 'A'\nState.A._value_ = 'B'\n", "State.A._value_ = 'B'"),
        ("class State(str, Enum):\n    A = auto()\n", "A = auto()"),
        ("@more\nclass State(str, Enum):\n    A = 'A'\n", "@more"),
        ("class State(str, Enum):\n    A = 'A'\nState = more(State)\n", "State = more(State)"),
        *(
            (
                f"class State(str, Enum):\n    A = 'A'\n{more}",
                "State, which the module makes 2 times",
            )
            for more in (
                "if made():\n    class State(str, Enum):\n        B = 'B'\n",
                "try:\n    from other import State\nexcept ImportError:\n    pass\n",
                "def more():\n    global State\n",
                "try:\n    made()\nexcept OSError as State:\n    pass\n",
                "import State.part\n",
                "from theirs import *\n",
            )
        ),
        *(
            (f"class State(str, Enum):\n    A = 'A'\n{more}", told)
            for more, told in (
                ("globals()['State'] = Upper\n", "globals()['State'] = Upper"),
                ("setattr(State.A, '_value_', 'B')\n", "setattr(State.A, '_value_', 'B')"),
                ("State.A.__dict__['_value_'] = 'B'\n", "State.A.__dict__['_value_'] = 'B'"),
                ("def f(one):\n    one._value_ = 'B'\nf(State.A)\n", "one._value_ = 'B'"),
                ("exec(made())\n", "exec(made())"),
                *(
                    (f"class Row:\n    def f(self):\n        {row}\n{call}", row)
                    for row, call in (
                        ("self.value = 'B'", "Row.f(State)\n"),
                        ("self.value = 'B'", "Same = Row\nSame.f(State)\n"),
                        ("(lambda self: setattr(self, 'value', 'B'))(State)", ""),
                        ("setattr(State, 'value', 'B')", "Row().f()\n"),
                        ("self.value = 'B'", "    f = staticmethod(f)\nRow.f(State)\n"),
                    )
                ),
                ("from no_such_module import *\n", "from no_such_module import *"),
            )
        ),
        ("class State(str, Enum, metaclass=made()):\n    A = 'A'\n", "State(metaclass=made())"),
        ("class State(str, Enum):\n    A = 'A'\n    __new__ = made\n", "def __new__"),
        ("class State(str, Enum):\n    __a = 'A'\n", "__a = 'A'"),
        ("class State(Hook, str, Enum):\n    A = 'A'\n", "class State(Hook)"),
        ("class State(Sets, str, Enum):\n    A = 'A'\nState.A.f()\n", "self.__dict__ = {}"),
        ("class State(TheirEnum):\n    A = auto()\n", "class State(TheirEnum)"),
        ("class State(int, Enum):\n    A = '01'\n", "A = '01'"),
        ("@one\nclass State(str, Enum):\n    A = 'A'\n", "@one"),
        ("class State(Twice):\n    A = 'A'\n", "Twice), of which the module makes several"),
        ("class State(str, Enum):\n    A = GIVEN\n", "A = GIVEN"),
    ],
)
def test_an_enum_is_refused_where_the_text_does_not_tell_a_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: str, told: str
) -> None:
    module = f"computed_{abs(hash(members))}"
    (tmp_path / f"{module}.py").write_text(
        "from enum import Enum, StrEnum, auto\nCHANGED = 'B'\nif made(): CHANGED = 'C'\n"
        "class Upper(StrEnum):\n    def _generate_next_value_(name, *_): return name.upper()\n"
        "class Mixin:\n    @property\n    def value(self): return 'B'\n"
        "from theirs import StrEnum as TheirEnum, unique as one\n"
        "class Hook:\n    def __init_subclass__(cls): ...\n"
        f"{'class Sets:' if 'Sets' in members else 'class No:'}\n"
        "    def f(self):\n        self.__dict__ = {}\n"
        "class Twice(Enum): pass\nif made():\n    class Twice(Upper): pass\n"
        "GIVEN = 'A'\nfrom theirs import GIVEN\n"
        f"class Other(Enum):\n    A = made()\n{members}"
    )
    (tmp_path / "theirs.py").write_text("StrEnum = made()\nState = made()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "standard.toml"
    head = f'[service]\nname = "s"\nenums = "{module}"\n'
    for rest in ('[table.a]\nenums = { b = "State" }\n', "[enum.State]\nmap = {}\n"):
        path.write_text(head + rest)
        with pytest.raises(StandardError) as refused:
            load_standard(path)
        assert refused.value.message.endswith(told)
    path.write_text(f'{head}[table.a]\nenums = {{ b = "State" }}\n[enum.State]\nvalues = ["A"]\n')
    assert load_standard(path).tables[0].enums["b"].values == ("A",)


def test_what_is_no_toml_or_cannot_be_read_is_said(tmp_path: Path) -> None:
    assert "is not TOML" in load(tmp_path, "[service\n")
    with pytest.raises(StandardError, match="cannot be read: No such file"):
        load_standard(tmp_path / "none.toml")
    with pytest.raises(StandardError, match="cannot be read: Is a directory"):
        load_standard(tmp_path)


def test_every_key_is_read(tmp_path: Path) -> None:
    path = tmp_path / "standard.toml"
    path.write_text(
        HEAD
        + """
[enum.Plan]
values = ["ACTIVE", "IDLE"]
map = { paused = "IDLE", ready = "IDLE" }
back = { IDLE = "paused" }

[table.plans]
name = "plan"
uuids = ["id"]
enums.state = "Plan"
checks.state = "plan_ok"
keep_original.state = "state_detail"
columns.metadata = "plan_metadata"
integers.level = [1, 2]
switch = "expand"

[schema.billing."a.b"]
name = "c.d"

[schema.billing.plans]
"""
    )
    standard = load_standard(path)
    plans, dotted, other = standard.tables
    assert plans.enums["state"] == EnumStandard(
        "Plan", ("ACTIVE", "IDLE"), {"PAUSED": "IDLE", "READY": "IDLE"}, {"IDLE": "paused"}
    )
    assert (plans.schema, plans.old, plans.name, plans.uuids) == (
        "public",
        "plans",
        "plan",
        ("id",),
    )
    assert plans.checks == {"state": "plan_ok"}
    assert plans.keep_original == {"state": "state_detail"}
    assert plans.columns == {"metadata": "plan_metadata"}
    assert plans.integers == {"level": (1, 2)}
    assert [t.at_expand for t in standard.tables] == [True, False, False]
    service = HEAD.replace("[service]", '[service]\nswitch = "expand"')
    path.write_text(service + "[table.ts]\n[table.us]")
    assert all(t.at_expand for t in load_standard(path).tables)
    assert (dotted.schema, dotted.old, dotted.name) == ("billing", "a.b", "c.d")
    assert (other.schema, other.old, other.name) == ("billing", "plans", "plans")
    assert standard.schemas == ("public", "billing")


def test_the_page_on_the_file_shows_every_key_and_loads(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "standard.md").read_text(encoding="utf-8")
    first, *blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "standard.toml"
    path.write_text(first.replace('enums = "planning.enums"\n', ""), encoding="utf-8")
    whole = load_standard(path)
    assert [t.old for t in whole.tables] == ["plans", "invoices"]
    assert whole.schemas == ("public", "billing")
    # What each key needs beside it.
    values = 'values = ["ACTIVE", "INACTIVE", "ARCHIVED"]\n'
    beside = {
        "checks": 'enums.state = "PlanState"\n',
        "keep_original": 'enums.state = "PlanState"\n',
        "map": values,
        "back": values + 'map = { PAUSED = "INACTIVE" }\n',
    }
    keys = re.findall(r"^### (\w+)", page, re.MULTILINE)
    for key, block in zip(keys, blocks, strict=True):
        place = "enum.PlanState" if key in ENUM_KEYS else "table.plans"
        text = f'[service]\nname = "s"\n[{place}]\n{beside.get(key, "")}{block}'
        if place == "table.plans":
            text += "".join(f"[enum.{e}]\n{values}" for e in ("PlanState", "Kind", "Level"))
        path.write_text(text, encoding="utf-8")
        load_standard(path)
    assert {*keys} == ENUM_KEYS | TABLE_KEYS


def test_lines_are_found_whatever_stands_between() -> None:
    lines = Lines(
        '# [table.a]\nt = """\n[table.a]\n"""\n[ table . "a" ] # [x]\n\n'
        "b = [ # ]\n  'x',\n]\n'c'.d = { e = 1 }\n[table.f]\n"
    )
    assert lines.of(("t",)) == 2
    assert lines.of(("table", "a")) == 5
    assert lines.of(("table", "a", "b")) == 7
    assert lines.of(("table", "a", "b"), "x") == 8
    assert lines.of(("table", "a", "c", "d")) == 10
    assert lines.of(("table", "a", "c")) == 10
    assert lines.of(("table", "a", "nothing")) == 5
    assert lines.of(("table", "f", "b")) == 11
    assert lines.of(("nothing",)) == 1
