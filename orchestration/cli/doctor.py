"""`foundry doctor`: what is installed and configured, what is missing, and how to mend it."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.report import JobReport

_DISTRIBUTIONS = ("token-foundry", "token-foundry-schemas", "token-foundry-training")
_SECONDS = 20  # a program that does not answer its --version in that time is broken


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at. `required` things that are missing make the command fail."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    required: bool = True

    def line(self) -> str:
        mark = "ok     " if self.ok else ("MISSING" if self.required else "absent ")
        return f"{mark} {self.name}: {self.detail}" + ("" if self.ok else f" -> {self.remedy}")


def add_verbs(verbs: argparse._SubParsersAction, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "doctor", parents=[common], help="what is installed, what is missing, how to mend it"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> JobReport:
    """Exit status 1 when something required is missing; what is optional never fails it."""
    from schemas.report import JobReport

    findings = list(examine())
    for finding in findings:
        print(finding.line(), file=sys.stderr if args.json else sys.stdout)
    missing = [finding for finding in findings if not finding.ok and finding.required]
    verdict = f"{len(missing)} required things are missing" if missing else "ready: `foundry demo`"
    print(verdict, file=sys.stderr if args.json else sys.stdout)
    report = JobReport(verb="doctor", rows_in=len(findings), kept=len(findings) - len(missing))
    report.rejected = {finding.name: 1 for finding in missing}
    report.extra = {
        "findings": [
            {"name": f.name, "ok": f.ok, "required": f.required, "detail": f.detail}
            | ({} if f.ok else {"remedy": f.remedy})
            for f in findings
        ]
    }
    args.exit_status = 1 if missing else 0
    return report


def examine() -> Iterator[Finding]:
    """Everything the project needs or can use, in the order in which one would mend it."""
    yield _python()
    yield _java()
    yield _compiler()
    yield from _packages()
    yield _delta_jars()
    yield _s3_jars()
    yield _language_model()
    yield _profile()
    yield _program("git", "git (source-code repositories as input)", "git")
    yield _sources()
    yield _program("sbatch", "slurm (training on a cluster)", "slurm-wlm munge")
    yield _program("chromium", "chromium (the browser tests)", "chromium chromium-driver")
    yield _gpu()


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding(
        name="python",
        ok=sys.version_info >= (3, 11),
        detail=f"{found} ({sys.executable})",
        remedy="install Python 3.11 or newer, then `make setup`",
    )


def _first_line(*command: str) -> str | None:
    """The first line a program prints, or None when it is absent or does not answer."""
    try:
        done = subprocess.run(  # noqa: S603 (fixed programs with fixed arguments)
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines and done.returncode == 0 else None


def _java() -> Finding:
    said = _first_line("java", "-version")
    number = re.search(r'"(\d+)', said or "")
    return Finding(
        name="java",
        ok=number is not None and int(number[1]) >= 17,
        detail=said or "not found on the PATH",
        remedy="sudo apt-get install --yes openjdk-17-jre-headless",
    )


def _compiler() -> Finding:
    said = _first_line("g++", "--version")
    return Finding(
        name="compiler",
        ok=said is not None,
        detail=said or "g++ not found",
        remedy="sudo apt-get install --yes g++ python3-dev",
        required=False,  # only a new set-up needs it: fasttext is built from source
    )


def _packages() -> Iterator[Finding]:
    wanted: dict[str, bool] = {}
    for distribution in _DISTRIBUTIONS:
        try:
            lines = requires(distribution) or []
        except PackageNotFoundError:
            yield Finding(
                name=distribution, ok=False, detail="not installed", remedy="run `make setup`"
            )
            continue
        for line in lines:
            if 'extra == "gpu"' not in line:
                wanted[re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0]] = "extra ==" not in line
    for name, required in sorted(wanted.items()):
        try:
            yield Finding(name=name, ok=True, detail=version(name), required=required)
        except PackageNotFoundError:
            yield Finding(
                name=name,
                ok=False,
                detail="package not installed",
                remedy="run `make setup`",
                required=required,
            )


def _answer(name: str, remedy: str, look: Callable[[], str], required: bool = True) -> Finding:
    try:
        return Finding(name=name, ok=True, detail=look(), required=required)
    except Exception as error:  # whatever is wrong is what the user came to hear
        return Finding(name=name, ok=False, detail=str(error), remedy=remedy, required=required)


def _delta_jars() -> Finding:
    def look() -> str:
        from etl.tables.session import delta_jars, jar_folder

        return f"{len(delta_jars())} in {jar_folder()}"

    return _answer("delta jars", "run `make setup` once with a network", look)


def _s3_jars() -> Finding:
    def look() -> str:
        from etl.tables.s3a import s3a_folder, s3a_jars

        return f"{len(s3a_jars())} in {s3a_folder()}"

    return _answer("s3 jars (Spark on s3://)", "run `make setup S3=1`", look, required=False)


def _language_model() -> Finding:
    def look() -> str:
        from etl.language.identify import LanguageConfig, model_path

        return str(model_path(LanguageConfig()))

    return _answer("language model", "run `make setup`", look)


def _profile() -> Finding:
    def look() -> str:
        from orchestration.profile import load_profile, profile_file

        return f"{load_profile().name} ({profile_file()})"

    return _answer("profile", "mend the named key, or unset TOKENFOUNDRY_PROFILE", look)


def _sources() -> Finding:
    def look() -> str:
        from orchestration.profile import load_profile
        from orchestration.sources.config import load_sources

        profile = load_profile()
        sources = load_sources(profile)
        told = ", ".join(
            f"{name} ({source.kind})" + ("" if source.enabled else " disabled")
            for name, source in sources.items()
        )
        return f"{told} ({profile.sources or 'no sources file'})"

    return _answer("sources", "mend the named key of the sources file", look)


def _program(program: str, name: str, packages: str) -> Finding:
    path = shutil.which(program)
    return Finding(
        name=name,
        ok=path is not None,
        detail=path or f"{program} not found",
        remedy=f"sudo apt-get install --yes {packages}",
        required=False,
    )


def _gpu() -> Finding:
    found = Path("/proc/driver/nvidia/version").exists()
    return Finding(
        name="gpu",
        ok=found,
        detail="NVIDIA driver loaded" if found else "none: training runs on the CPU (gloo)",
        remedy="on a GPU machine, install the extra `token-foundry-training[gpu]`",
        required=False,
    )
