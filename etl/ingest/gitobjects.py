"""The files of a commit, read from git's objects without trusting the repository.

git runs without a shell, in a repository of our own beside the objects: its configuration, hooks,
attributes and remotes are never looked at, nothing is fetched and nothing is checked out.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from etl.ingest.streams import CHUNK
from etl.storage.files import S3File
from schemas.errors import InputError

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF = re.compile(r"refs/[\w./+@-]{1,200}")
_ENTRY = re.compile(rb"(\d{6}) (blob|tree|commit) ([0-9a-f]{40,64})\t(.+)", re.DOTALL)
_FIRST_REFS = ("HEAD", "refs/heads/main", "refs/heads/master", "refs/heads/trunk")
_MEMORY = 4 << 30
_STREAM_FROM = "16m"  # a larger blob is streamed by git, not held
_PACKED_REFS_BYTES = 64 << 20


class RepositoryError(Exception):
    """Why a repository cannot be read: a stable `error_class` and a message with the remedy."""

    def __init__(self, error_class: str, message: str) -> None:
        super().__init__(message)
        self.error_class = error_class


@dataclass(frozen=True, slots=True)
class Entry:
    """A path of the commit: `mode` 100644, 100755, 120000 (a link), 160000 (a submodule)."""

    mode: str
    name: str  # of the object
    path: str


class Commit:
    """One commit of a folder's repository or of a bundle, opened to be read.

    Raises `RepositoryError` of class `unsafe_repository`, `empty_repository`, `broken_repository`
    or `incomplete_bundle`; `InputError` when git is not installed.
    """

    def __init__(self, path: Path | S3File, *, seconds: int, most_files: int) -> None:
        self._seconds, self._most = seconds, most_files
        self._git = shutil.which("git") or ""
        if not self._git:
            raise InputError("git is not installed, and a repository cannot be read without it")
        self._home = Path(tempfile.mkdtemp(prefix="objects"))
        self._objects: Path | None = None
        self._reader: subprocess.Popen[bytes] | None = None
        try:
            if isinstance(path, Path) and path.is_dir():
                folder = path / ".git" if (path / ".git").exists() else path
                self.name = _head_of(folder)
                self._objects = _safe_objects(folder)
                self._create()
            else:
                self._create_from_bundle(path)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Commit:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._reader is not None:
            self._reader.kill()
            self._reader.communicate()
        shutil.rmtree(self._home, ignore_errors=True)

    def entries(self) -> Iterator[Entry]:
        """Every file, link and submodule, in the order of their paths; of more than `most_files`
        the first, and one more. Can be read again."""
        listing = self._home / "listing"
        if not listing.exists():
            self._list(listing)
        with listing.open("rb") as file:
            for line in _terminated(file):
                if found := _ENTRY.fullmatch(line):
                    mode, _, name, path = found.groups()
                    yield Entry(mode.decode(), name.decode(), path.decode("utf-8", "replace"))

    def read(self, entry: Entry, most: int) -> tuple[int, bytes] | None:
        """(size, the first `most` bytes) of a file; None when its object is not there."""
        reader = self._reader or self._start_reader()
        stdin, stdout = cast("IO[bytes]", reader.stdin), cast("IO[bytes]", reader.stdout)
        try:
            stdin.write(entry.name.encode() + b"\n")
            stdin.flush()
            words = stdout.readline().split()
            if len(words) == 2 and words[1] == b"missing":
                return None
            size = int(words[2])
            data = stdout.read(min(size, most))
            _skip(stdout, size + 1 - len(data))
        except (OSError, ValueError, IndexError) as error:
            message = f"objects cannot be read: {error}"[:300]
            raise RepositoryError("broken_repository", message) from None
        return (size, data) if words[1] == b"blob" else None

    def _list(self, listing: Path) -> None:
        arguments = ["ls-tree", "-r", "-z", "--full-tree", self.name]
        process = self._popen(arguments, subprocess.PIPE)
        output, found = cast("IO[bytes]", process.stdout), 0
        with listing.open("wb") as file:
            # A few trees that hold each other many times stand for billions of paths.
            while found <= self._most and (chunk := output.read(CHUNK)):
                found += chunk.count(b"\0")
                file.write(chunk)
        if found > self._most:
            process.kill()
        _, errors = process.communicate()
        if process.returncode and found <= self._most:
            raise self._failed(arguments, process.returncode, errors)

    def _create(self) -> None:
        kind = "sha256" if len(self.name) == 64 else "sha1"
        self._run(["init", "-q", "--bare", "--template=", f"--object-format={kind}", "store"], None)

    def _create_from_bundle(self, path: Path | S3File) -> None:
        file = path
        if isinstance(path, S3File):
            file = self._home / "bundle"
            with path.open("rb") as source, file.open("wb") as target:
                shutil.copyfileobj(source, target, CHUNK)
        with file.open("rb") as head:
            is_sha256 = b"@object-format=sha256\n" in head.read(4096)
        self.name = "0" * (64 if is_sha256 else 40)
        self._create()
        heads = self._home / "heads"
        whole = str(Path(str(file)).absolute())
        self._run(["bundle", "list-heads", whole], heads)
        lines = heads.read_text(errors="replace").splitlines()[:100_000]
        refs = {ref: commit for commit, _, ref in (line.partition(" ") for line in lines)}
        names = [refs[ref] for ref in [*_FIRST_REFS, *sorted(refs)] if ref in refs]
        if not names or not _COMMIT.fullmatch(names[0]):
            raise RepositoryError("empty_repository", "the bundle names no commit")
        self.name = names[0]
        try:
            self._run(["bundle", "unbundle", whole], self._home / "unbundled")
        except RepositoryError as error:
            lacking = "prerequisite" in str(error) or "lacks" in str(error)
            name = "incomplete_bundle" if lacking else "broken_repository"
            raise RepositoryError(name, str(error)) from None

    def _environment(self) -> dict[str, str]:
        own = self._home / "store"
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._home),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "none",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_CEILING_DIRECTORIES": str(self._home.parent),
        }
        if own.exists():
            environment["GIT_DIR"] = str(own)
            if self._objects is not None:
                environment["GIT_OBJECT_DIRECTORY"] = str(self._objects)
        return environment

    def _popen(self, arguments: list[str], output: IO[bytes] | int) -> subprocess.Popen[bytes]:
        command = [self._git, "-c", f"core.bigFileThreshold={_STREAM_FROM}", "-c",
                   "core.hooksPath=/dev/null", "-c", "pack.threads=1", *arguments]  # fmt: skip
        process = subprocess.Popen(  # noqa: S603 - no shell, a fixed program, checked arguments
            command,
            stdin=subprocess.PIPE if "--batch" in arguments else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE if "--batch" not in arguments else subprocess.DEVNULL,
            cwd=self._home,
            env=self._environment(),
        )
        for limit, value in (
            (resource.RLIMIT_AS, _MEMORY),
            (resource.RLIMIT_CPU, self._seconds),
        ):
            try:
                resource.prlimit(process.pid, limit, (value, value))
            except ProcessLookupError:
                break  # it is done already
        return process

    def _run(self, arguments: list[str], output: Path | None) -> None:
        with (output or Path(os.devnull)).open("wb") as file:
            process = self._popen(arguments, file)
            try:
                _, errors = process.communicate(timeout=self._seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                raise RepositoryError(
                    "too_slow", f"git {arguments[0]} took more than {self._seconds} s"
                ) from None
        if process.returncode:
            raise self._failed(arguments, process.returncode, errors)

    def _failed(self, arguments: list[str], status: int, errors: bytes) -> RepositoryError:
        said = errors.decode("utf-8", "replace").replace(str(self._home), "").strip()
        message = f"git {arguments[0]}: {said or f'status {status}'}"
        return RepositoryError("broken_repository", message[:300])

    def _start_reader(self) -> subprocess.Popen[bytes]:
        self._reader = self._popen(["cat-file", "--batch"], subprocess.PIPE)
        return self._reader


def _skip(file: IO[bytes], size: int) -> None:
    while size > 0:
        read = len(file.read(min(size, CHUNK)))
        if not read:
            raise OSError("the object ends early")
        size -= read


def _terminated(file: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while chunk := file.read(CHUNK):
        *lines, rest = (rest + chunk).split(b"\0")
        yield from lines


def _head_of(folder: Path) -> str:
    """The commit that HEAD names, by the rules of gitrepository-layout."""
    text = _small(folder, "HEAD").strip()
    if _COMMIT.fullmatch(text):
        return text
    ref = text.removeprefix("ref:").strip()
    if not _REF.fullmatch(ref) or ".." in ref:
        raise RepositoryError("broken_repository", "HEAD names neither a branch nor a commit")
    if (folder / ref).is_file():
        commit = _small(folder, ref).strip()
        if _COMMIT.fullmatch(commit):
            return commit
    packed = folder / "packed-refs"
    if packed.is_file() and not packed.is_symlink() and packed.stat().st_size < _PACKED_REFS_BYTES:
        with packed.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                commit, _, name = line.strip().partition(" ")
                if name == ref and _COMMIT.fullmatch(commit):
                    return commit
    raise RepositoryError("empty_repository", f"{ref} has no commit yet; commit, or read the files")


def _small(folder: Path, name: str) -> str:
    path = folder / name
    inside = folder
    for part in name.split("/"):
        inside = inside / part
        if inside.is_symlink():
            raise RepositoryError("unsafe_repository", f"{name} is reached by a symbolic link")
    with path.open("rb") as file:
        return file.read(4096).decode("utf-8", "replace")


def _safe_objects(folder: Path) -> Path:
    """The objects' folder, when all of it lies inside the repository."""
    objects = folder / "objects"
    remedy = "clone it (git clone --no-local) and read the clone"
    for place in (folder, objects, objects / "pack", objects / "info"):
        if place.is_symlink() or (
            place.is_dir() and any(e.is_symlink() for e in os.scandir(place))
        ):
            raise RepositoryError(
                "unsafe_repository", f"{place.name} holds or is a symbolic link; {remedy}"
            )
    if (objects / "info" / "alternates").exists():
        raise RepositoryError(
            "unsafe_repository", f"its objects lie in other repositories too (alternates); {remedy}"
        )
    return objects.absolute()
