"""What mypy and pyright say of right and of wrong uses of a repository."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).with_name("typing_examples.py.txt")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("typing") / "examples.py"
    path.write_text(EXAMPLES.read_text())
    return path


def page() -> str:
    """The code of docs/data-layer.md as one module, but for what it shows to be wrong."""
    text = Path("docs/data-layer.md").read_text()
    parts = ["dsn: str = ''"]
    for kind, code in re.findall(r"^```(python|pycon)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if kind == "python":
            parts.append(code)
            continue
        for example in doctest.DocTestParser().get_examples(code):
            if example.exc_msg is None:
                parts.append(example.source)
    return "\n".join(parts)


@pytest.mark.parametrize("checker", ["mypy --strict --config-file=", "pyright"])
def test_every_example_of_the_page_is_typed(tmp_path: Path, checker: str) -> None:
    path = tmp_path / "page.py"
    path.write_text(page())
    command = [sys.executable, "-m", *checker.split(), str(path)]
    if checker == "pyright":
        command[3:3] = ["--pythonpath", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if checker == "pyright" and "error" not in done.stdout:
        pytest.skip("pyright cannot be installed here")
    told = re.findall(r"page\.py:(\d+)\S* (?:- )?error: (.+)", done.stdout)
    lines = path.read_text().splitlines()
    wrong = [(lines[int(line) - 1], problem) for line, problem in told]
    assert not wrong, done.stdout


def check(found: dict[int, str], path: Path, checker: str) -> None:
    """A line ends in `# error: <pattern of the message>`, or in `# mypy error: ...` for one."""
    lines = path.read_text().splitlines()
    matches = ((i, re.search(r"# (\w+ )?error: (.+)$", line)) for i, line in enumerate(lines, 1))
    wanted = {i: match[2] for i, match in matches if match and match[1] in (None, f"{checker} ")}
    assert found.keys() == wanted.keys(), found
    for line, speaks_of in wanted.items():
        assert re.search(speaks_of, found[line]), (line, found[line])


def test_mypy(example: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"]
    command += ["--cache-dir", str(example.parent / "cache"), str(example)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    errors = re.findall(r"examples\.py:(\d+): error: (.+)", done.stdout)
    check({int(line): message for line, message in errors}, example, "mypy")
    assert 'Revealed type is "list[pyorm.model_orchestration.Model]"' in done.stdout


def test_pyright(example: Path) -> None:
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(example)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if "informations" not in done.stdout and "information" not in done.stdout:
        pytest.skip("pyright cannot be installed here")
    errors = re.findall(r"examples\.py:(\d+):\d+ - error: (.+)", done.stdout)
    check({int(line): message for line, message in errors}, example, "pyright")
    assert 'is "list[Model]"' in done.stdout
