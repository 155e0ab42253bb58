"""Source code out of git: each file in one place, a hostile repository harmless."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from identify.vendor.licenses import LICENSES

from etl.ingest.config import IngestConfig
from etl.ingest.formats import Format, detect
from etl.ingest.options import FormatOptions
from etl.ingest.rows import Row
from tests.etl.ingest.reading import rows_of

_ENVIRONMENT = {
    **os.environ, "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org", "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z",
    "GIT_CONFIG_GLOBAL": os.devnull,
}  # fmt: skip
_FILES: dict[str, bytes] = {
    "LICENSE": dict(LICENSES)["MIT"].encode(),
    "src/main.py": b"def main():\n\n\n    return 1\n",
    "src/tagged.c": b"// SPDX-License-Identifier: GPL-2.0-only\nint x;\r\n",
    "vendor/lib.go": b"package lib\n",
    "api.pb.go": b"package api\n",
    "gen/made.js": b"let a = 1;\n",
    "app.min.js": b"let a=1;",
    "logo.png": b"\x89PNG\r\n\x1a\n\x00\x00",
    "latin.txt": "caf\xe9 cr\xe8me\n".encode("latin-1"),
    "big.json": b"[1]\n" * 60_000,
    "empty.py": b"\n",
    "bom.py": b"\xef\xbb\xbfx = 1\n",
    "ünï cödé/a b.py": b"y = 2\n",
    ".gitattributes": b"gen/** linguist-generated\n",
}


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(
        command, env=_ENVIRONMENT, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    _git(folder, "init", "-q", "-b", "main")
    for name, data in _FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "link").symlink_to("/etc/passwd")
    _git(folder, "add", "-A")
    submodule = f"160000,{'1' * 40},sub"
    _git(folder, "update-index", "--add", "--cacheinfo", submodule)
    _git(folder, "commit", "-qm", "one")
    return folder


def _rows(path: Path, **options: int) -> list[Row]:
    formats = FormatOptions(code_max_bytes=100_000, **options)  # type: ignore[arg-type]
    return rows_of(path, IngestConfig(formats=formats))


def _ends(rows: list[Row]) -> dict[str, str]:
    return {
        json.loads(row["extra"])["path"] if "extra" in row else "":
        row["_reasons"][0]["rule"] if row["_verdict"] == "rejected"
        else row.get("_error_class", "kept") for row in rows
    }  # fmt: skip


def test_each_file_has_its_place(repository: Path) -> None:
    rows = _rows(repository)
    assert _ends(rows) == {
        ".gitattributes": "kept", "LICENSE": "kept", "src/main.py": "kept",
        "src/tagged.c": "kept", "bom.py": "kept", "ünï cödé/a b.py": "kept",
        "vendor/lib.go": "code.vendored", "api.pb.go": "code.generated",
        "gen/made.js": "code.generated", "app.min.js": "code.minified", "logo.png": "code.binary",
        "latin.txt": "code.not_utf8", "big.json": "code.too_large", "empty.py": "code.empty",
        "link": "code.symlink", "sub": "code.submodule",
    }  # fmt: skip
    assert len(rows) == len(_FILES) + 2
    for row in rows:
        for reason in row.get("_reasons") or []:
            assert reason["score"] != reason["threshold"]
    kept = {json.loads(r["extra"])["path"]: r for r in rows if r["_verdict"] == "kept"}
    main, tagged = kept["src/main.py"], kept["src/tagged.c"]
    fields = json.loads(main["extra"])
    assert main["text"] == "def main():\n\n\n    return 1\n"
    assert (fields["programming_language"], fields["licence"]) == ("Python", "MIT")
    assert fields["licence_statements"][0]["place"] == "LICENSE"
    assert json.loads(tagged["extra"])["licence"] == "GPL-2.0-only"
    assert fields["commit"] == _git(repository, "rev-parse", "HEAD")
    assert main["url"].endswith("/project#src/main.py")
    assert kept["bom.py"]["text"] == "x = 1\n"


def test_a_bundle_and_a_bare_repository_give_the_same(repository: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "project.bundle"
    _git(repository, "bundle", "create", "-q", str(bundle), "main")
    _git(tmp_path, "clone", "-q", "--bare", str(repository), str(tmp_path / "project.git"))
    assert detect(bundle).format == Format.BUNDLE
    assert detect(tmp_path / "project.git").format == Format.REPOSITORY
    plain = [(r["_verdict"], r.get("text"), _field(r, "licence")) for r in _rows(repository)]
    for other in (bundle, tmp_path / "project.git"):
        rows = _rows(other)
        assert [(r["_verdict"], r.get("text"), _field(r, "licence")) for r in rows] == plain
        assert {_field(r, "repository") for r in rows} == {"project"}
    assert _rows(bundle) == _rows(bundle)


def _field(row: Row, name: str) -> object:
    return json.loads(row["extra"]).get(name)


def test_only_what_is_committed_is_read(repository: Path) -> None:
    (repository / "untracked.py").write_text("secret = 1\n")
    (repository / "src" / "main.py").write_text("changed\n")
    kept = {_field(r, "path"): r.get("text") for r in _rows(repository)}
    assert "untracked.py" not in kept
    assert kept["src/main.py"] == "def main():\n\n\n    return 1\n"


def test_a_repository_s_own_settings_are_not_believed(repository: Path, tmp_path: Path) -> None:
    """Whatever git would run for a repository that is entered as its own."""
    mark = tmp_path / "ran"
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {mark}\n")
    trap.chmod(0o755)
    settings = {
        "core.fsmonitor": trap, "core.pager": trap, "core.sshCommand": trap,
        "core.alternateRefsCommand": trap, "remote.o.url": f"ext::{trap}",
        "remote.o.promisor": "true", "extensions.partialClone": "o", "core.hooksPath": tmp_path,
        "filter.x.smudge": trap, "filter.x.clean": trap, "diff.x.textconv": trap,
        "core.repositoryFormatVersion": "1",
    }  # fmt: skip
    lines = (repository / ".git" / "config").read_text()
    for name, value in settings.items():
        section, _, key = name.rpartition(".")
        one, _, two = section.partition(".")
        lines += f'[{one} "{two}"]\n' if two else f"[{one}]\n"
        lines += f"\t{key} = {value}\n"
    (repository / ".git" / "config").write_text(lines)
    blob = _git(repository, "rev-parse", "HEAD:src/main.py")
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    ends = Counter(_ends(_rows(repository)).values())
    assert not mark.exists()
    assert ends["missing_object"] == 1
    assert ends["kept"] == 5


@pytest.mark.parametrize("trick", ["alternates", "objects", "pack", "git", "head"])
def test_objects_outside_are_refused(repository: Path, tmp_path: Path, trick: str) -> None:
    inner, outside = repository / ".git", tmp_path / "outside"
    if trick == "alternates":
        (inner / "objects" / "info").mkdir(exist_ok=True)
        (inner / "objects" / "info" / "alternates").write_text("/srv/other/objects\n")
    else:
        place = {"objects": inner / "objects", "pack": inner / "objects" / "pack", "git": inner,
                 "head": inner / "HEAD"}[trick]  # fmt: skip
        place.rename(outside)
        place.symlink_to(outside)
    (row,) = _rows(repository)
    assert row["_error_class"] == "unsafe_repository"


@pytest.mark.parametrize(
    ("head", "error_class"),
    [
        ("ref: refs/heads/none\n", "empty_repository"),
        ("ref: ../../../etc/passwd\n", "broken_repository"),
        ("ref: refs/../../x\n", "broken_repository"),
        ("--upload-pack=x\n", "broken_repository"),
        ("\x00\xff", "broken_repository"),
        ("1" * 40 + "\n", "broken_repository"),
    ],
)
def test_a_head_that_leads_nowhere(repository: Path, head: str, error_class: str) -> None:
    (repository / ".git" / "HEAD").write_text(head)
    (row,) = _rows(repository)
    assert row["_error_class"] == error_class


def test_damaged_bundles(repository: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "b.bundle"
    _git(repository, "bundle", "create", "-q", str(bundle), "main")
    whole = bundle.read_bytes()
    (repository / "more.py").write_text("z = 1\n")
    _git(repository, "add", "more.py")
    _git(repository, "commit", "-qm", "two")
    _git(repository, "bundle", "create", "-q", str(tmp_path / "part"), "main~1..main")
    cases = {
        "cut": (whole[: len(whole) // 2], "broken_repository"),
        "noise": (whole[:300] + b"\xff" * 50 + whole[350:], "broken_repository"),
        "head": (whole[:18] + b"garbage\n", "broken_repository"),
        "part": ((tmp_path / "part").read_bytes(), "incomplete_bundle"),
    }
    for name, (data, error_class) in cases.items():
        (tmp_path / name).write_bytes(data)
        (row,) = _rows(tmp_path / name)
        assert row["_error_class"] == error_class, row["_message"]


def test_a_tree_that_multiplies_is_cut_off(tmp_path: Path) -> None:
    """Ten levels of a folder that holds the one below ten times: 10^10 paths in 12 objects."""
    folder = tmp_path / "bomb"
    folder.mkdir()
    _git(folder, "init", "-q", "-b", "main")
    (folder / "f").write_text("x\n")
    name = _git(folder, "hash-object", "-w", "f")
    line = f"100644 blob {name}\tf"
    for _ in range(10):
        lines = "\n".join(line.replace("\tf", f"\tf{n}") for n in range(10)) + "\n"
        tree = subprocess.run(
            ["git", "-C", str(folder), "mktree"], input=lines, env=_ENVIRONMENT, check=True,
            capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        line = f"040000 tree {tree}\tf"
    commit = _git(folder, "commit-tree", "-m", "x", tree)
    _git(folder, "update-ref", "refs/heads/main", commit)
    rows = _rows(folder, code_max_files=50)
    assert len(rows) == 51
    assert rows[-1]["_error_class"] == "too_many_files"
