"""The top level is fixed; commits name no machine; Spark code runs over Spark Connect, too."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "etl", "tokenizers_mm", "training", "orchestration")
TOP_LEVEL = {*PACKAGES, "tests", "deploy", "pyproject.toml", "README.md", "Makefile", "LICENSE"}
# The driver's JVM and its RDDs do not exist on a Connect client.
NOT_ON_CONNECT = {"sparkContext", "rdd", "_jvm", "_jdf", "_jsc", "_jsparkSession"}
NAMED_MACHINES = re.compile(
    r"python[h]osted|py[p]i\.org|mav[e]n\.org|np[m]js|deb\.deb[i]an|/wo[r]k/|/ro[o]t/|/ho[m]e/[a-z]"
)


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def test_top_level_is_fixed() -> None:
    found = {path.relative_to(ROOT).parts[0] for path in tracked()}
    stray = {
        name
        for name in found - TOP_LEVEL
        if not name.startswith(".") and not re.fullmatch(r"constraints.*\.txt|README.*\.md", name)
    }
    assert not stray


def test_no_file_names_a_registry_or_a_machine_path() -> None:
    guilty = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked()
        if (match := NAMED_MACHINES.search(path.read_text(encoding="utf-8", errors="replace")))
    ]
    assert not guilty


@pytest.mark.parametrize("package", PACKAGES)
def test_spark_code_stays_on_the_dataframe_api(package: str) -> None:
    guilty = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.attr}"
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in NOT_ON_CONNECT
    ]
    assert not guilty


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_tests_of_its_own(package: str) -> None:
    assert any((ROOT / "tests" / package).rglob("test_*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_no_drawer_for_everything(package: str) -> None:
    names = {path.stem for path in (ROOT / package).rglob("*")}
    assert not names & {"utils", "util", "common", "helpers", "misc"}
