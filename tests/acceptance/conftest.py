"""`foundry demo`, run once as a user would, on a site of another seed, in its own folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.browsing import free_port

ROOT = Path(__file__).parents[2]
PAGES = 240


@dataclass(frozen=True)
class Deployment:
    """A profile in a folder of its own. `foundry(...)` runs a command on it."""

    folder: Path
    profile: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def settings(self) -> dict:
        return yaml.safe_load(self.profile.read_text())

    def environment(self) -> dict[str, str]:
        return os.environ | {"TOKENFOUNDRY_PROFILE": str(self.profile)}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "orchestration.cli.main", *arguments]

    def foundry(self, *arguments: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), env=self.environment(), cwd=self.folder,
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip


def deployment(folder: Path, seed: int, port: int) -> Deployment:
    """The local profile with another home, site and port."""
    settings = yaml.safe_load((ROOT / "deploy/profiles/local.yaml").read_text())
    settings["home"] = str(folder / "home")
    settings["sample_site"] |= {"seed": seed, "port": port, "pages": PAGES}
    folder.mkdir(parents=True, exist_ok=True)
    profile = folder / "profile.yaml"
    profile.write_text(yaml.safe_dump(settings))
    return Deployment(folder, profile)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, seed: int) -> tuple[Deployment, dict]:
    """The deployment after `foundry demo --json`, and its report."""
    place = deployment(tmp_path_factory.mktemp("demo"), seed, free_port())
    done = place.foundry("demo", "--json")
    assert done.returncode == 0, f"seed {seed}\n{done.stderr[-4000:]}"
    return place, json.loads(done.stdout.splitlines()[-1])
