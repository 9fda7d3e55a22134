"""The Dockerfile and the Kubernetes Job, as far as they can be held to without either."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import click

from runner.cli import cli

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
JOB = (ROOT / "deploy" / "kubernetes-job.yaml").read_text("utf-8")


def instructions() -> list[tuple[str, str]]:
    joined = DOCKERFILE.replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def test_dockerfile_copies_what_is_there_and_is_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    copied = [rest.split()[0] for word, rest in instructions() if word == "COPY"]
    for source in [s for s in copied if not s.startswith("--from")]:
        assert (ROOT / source).exists()
        assert not any(fnmatch(source, pattern) for pattern in ignored)
    # Both projects are built from the context: their files are not ignored either.
    for needed in ("pyproject.toml", "README.md", "LICENSE", "runner", "pyorm", "sql"):
        assert not any(fnmatch(needed, pattern) for pattern in ignored)


def test_dockerfile_runs_as_nobody_special_and_holds_no_secret() -> None:
    words = [word for word, _ in instructions()]
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert "ARG" not in words
    assert not re.search(r"DSN|PASSWORD|TOKEN", DOCKERFILE)
    # Every base image names its version.
    assert all(re.search(r":\d", rest) for word, rest in instructions() if word == "FROM")


def test_job_and_image_are_of_one_account_and_one_version() -> None:
    account = re.search(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)
    assert account is not None
    assert f"runAsUser: {account[1]}\n" in JOB
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert f"/trueup:{version[1]}\n" in JOB


def test_job_gives_a_command_that_exists_and_its_dsn_from_a_secret() -> None:
    found = re.search(r"args: \[(.+)\]", JOB)
    assert found is not None
    verb, *arguments = found[1].split(", ")
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    context = command.make_context(verb, arguments)
    assert context.params["to"] == "enforce"
    assert "--dsn" not in arguments
    assert re.search(r"name: TRUEUP_DSN\n\s+valueFrom:\n\s+secretKeyRef:", JOB)


def test_job_is_indented_by_two_and_names_no_key_twice() -> None:
    paths: list[str] = []
    seen: set[str] = set()
    for line in JOB.splitlines():
        if not line.strip() or line.strip().startswith("#"):
            continue
        assert "\t" not in line
        content = re.sub(r"^( *)- ", lambda m: m[1] + "  ", line)
        indent = len(content) - len(content.lstrip())
        assert indent % 2 == 0
        key = content.strip().partition(":")[0]
        del paths[indent // 2 :]
        paths += [""] * (indent // 2 - len(paths)) + [key]
        name = "/".join(paths)
        assert name not in seen or content != line
        seen.add(name)
