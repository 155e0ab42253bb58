"""StackExchange dumps: a question with its answers as one document, with authors and licences.

`Posts.xml` (beside it `Users.xml`, for the authors' names) unpacked or in the `.7z` of a site.
Posts are spilled to disk by their question and joined part by part, so that memory stays bounded.
Source: archive.org/details/stackexchange (its readme has the columns).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etl.ingest.config import IngestConfig
from etl.ingest.rows import Place, Row, failed, kept, rejected
from etl.ingest.spill import Spill
from etl.ingest.streams import open_chunks
from etl.ingest.xmlstream import Element, read_elements
from etl.licence.evidence import Licence
from etl.licence.sites import stackexchange_licence
from etl.storage.files import S3File
from schemas.identity import UNKNOWN_LICENCE

POST_TYPE, ORPHAN = "stackexchange.post_type", "stackexchange.orphan_answer"
ANSWER_SCORE, NO_POSTS = "stackexchange.answer_score", "stackexchange.no_posts"
QUESTION, ANSWER = "1", "2"
_ROOT = re.compile(rb"<(?:!DOCTYPE\s+)?([A-Za-z]+)[\s>]")
_SITE = re.compile(r"([a-z0-9-]+(?:\.[a-z0-9-]+)+?)(?:-[A-Z][A-Za-z]+)?")
_NUMBER = re.compile(r"-?\d{1,15}")
_KEPT_FIELDS = (
    "Id", "Body", "Title", "Tags", "Score", "CreationDate", "OwnerUserId", "OwnerDisplayName",
    "ContentLicense", "AcceptedAnswerId",
)  # fmt: skip
_ANSWERS_MOST = 1_000


def read_dump(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    """Rows of an unpacked file. Only `Posts.xml` holds documents; of the others one row says so."""
    if _root(path) != "posts":
        yield rejected(Place(config, path), NO_POSTS, 0, 1)
        return
    with Dump(path, config, path.stat().st_size) as dump:
        users = _sibling(path, "Users.xml")
        if users is not None:
            for element in read_elements(open_chunks(users), ("row",), config.max_record_bytes):
                yield from dump.take_user(element)
        posts = read_elements(open_chunks(path), ("row",), config.max_record_bytes)
        for element in posts:
            yield from dump.take_post(element)
        yield from dump.documents()


class Dump:
    """The posts and users of one site, taken in any order, given back as documents."""

    def __init__(self, path: Path | S3File, config: IngestConfig, total_bytes: int) -> None:
        self._path, self._config = path, config
        self._site = site_of(path)
        self._spill = Spill(total_bytes, config.formats.spill_bytes, config.max_record_bytes)
        self._users = sqlite3.connect(self._spill.folder / "users.db", isolation_level=None)
        self._users.execute("PRAGMA journal_mode = OFF")
        self._users.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._users.execute("PRAGMA synchronous = OFF")
        self._users.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
        self._users.execute("BEGIN")  # never committed: it is gone with the dump

    def __enter__(self) -> Dump:
        return self

    def __exit__(self, *_: object) -> None:
        self._users.close()
        self._spill.__exit__()

    @property
    def folder(self) -> Path:
        """A folder for what else must not be held in memory; it goes with the dump."""
        return self._spill.folder

    def take_user(self, element: Element) -> Iterator[Row]:
        """Notes a user's name; a row when the file of users is damaged there."""
        number = element.attributes.get("Id", "")
        if element.error_class:
            place = Place(self._config, self._path, inner=f"users@{element.offset}")
            yield failed(place, element.error_class, element.message)
        elif _NUMBER.fullmatch(number):
            name = element.attributes.get("DisplayName", "")[:200]
            self._users.execute("INSERT OR REPLACE INTO users VALUES (?, ?)", (int(number), name))

    def take_post(self, element: Element) -> Iterator[Row]:
        """Spills a question or an answer; a row at once for anything else."""
        place = self._place(element.offset, element.length)
        post = element.attributes
        kind = post.get("PostTypeId", "")
        owner = post.get("Id" if kind == QUESTION else "ParentId", "")
        if element.error_class:
            yield failed(place, element.error_class, element.message)
        elif not _NUMBER.fullmatch(post.get("Id", "")) or not _NUMBER.fullmatch(kind):
            yield failed(place, "bad_post", "the post has no number as Id or as PostTypeId")
        elif kind not in (QUESTION, ANSWER):
            yield rejected(place, POST_TYPE, float(kind), float(ANSWER))
        elif not _NUMBER.fullmatch(owner):
            yield failed(place, "bad_post", "the answer has no number as ParentId")
        else:
            record: dict[str, Any] = {name: post[name] for name in _KEPT_FIELDS if name in post}
            record |= {"kind": kind, "at": [element.offset, element.length]}
            self._spill.put(int(owner), record)

    def documents(self) -> Iterator[Row]:
        for _, posts, dropped in self._spill.groups():
            yield from self._thread(posts, dropped)

    def _thread(self, posts: list[dict[str, Any]], dropped: int) -> Iterator[Row]:
        questions = [post for post in posts if post["kind"] == QUESTION]
        answers = [post for post in posts if post["kind"] == ANSWER]
        if dropped:
            first = self._place(*(posts[0]["at"] if posts else (0, 0)))
            message = f"a question with {dropped} posts beyond max_record_bytes"
            yield failed(first, "too_large", message)
            return
        for again in questions[1:]:
            yield failed(self._place(*again["at"]), "bad_post", f"a second post {again['Id']}")
        if not questions:
            for answer in answers:
                yield rejected(self._place(*answer["at"]), ORPHAN, 0, 1)
            return
        question = questions[0]
        least = self._config.formats.answer_min_score
        accepted = question.get("AcceptedAnswerId", "")
        good = [a for a in answers if _score(a) >= least or a["Id"] == accepted]
        for answer in answers:
            if answer not in good:
                yield rejected(
                    self._place(*answer["at"]), ANSWER_SCORE, _score(answer), least,
                    url=self._url(f"a/{answer['Id']}"),
                )  # fmt: skip
        good.sort(key=lambda a: (a["Id"] != accepted, -_score(a), int(a["Id"])))
        yield self._document(question, good[:_ANSWERS_MOST], accepted)

    def _document(
        self, question: dict[str, Any], answers: list[dict[str, Any]], accepted: str
    ) -> Row:
        from etl.extract.fragment import fragment_text
        from etl.extract.html import PageError

        place = self._place(*question["at"])
        title = " ".join(question.get("Title", "").split())
        parts: list[str] = [title] if title else []
        told: list[dict[str, Any]] = []
        try:
            parts.append(fragment_text(question.get("Body", "")))
            for answer in answers:
                text = fragment_text(answer.get("Body", ""))
                start = len("\n\n".join([*parts, ""]))
                span = {"start": start, "end": start + len(text)}
                told.append(self._told(answer) | span | {"accepted": answer["Id"] == accepted})
                parts.append(text)
        except PageError as error:
            return failed(place, error.error_class, str(error))
        about = self._told(question)
        return kept(
            place, "\n\n".join(parts), url=self._url(f"q/{question['Id']}"),
            licence=_licence([question, *answers]), title=title, tags=_tags(question),
            score=about["score"], date=about["date"], author=about["author"],
            author_url=about["author_url"], site=self._site, answers=told,
        )  # fmt: skip

    def _told(self, post: dict[str, Any]) -> dict[str, Any]:
        """Who wrote a post and when, for the attribution that its licence asks for."""
        number = post.get("OwnerUserId", "")
        name = post.get("OwnerDisplayName", "")
        if not name and _NUMBER.fullmatch(number):
            query = "SELECT name FROM users WHERE id = ?"
            found = self._users.execute(query, (int(number),)).fetchone()
            name = found[0] if found else ""
        licence = stackexchange_licence(post.get("ContentLicense", ""), _date(post))
        return {
            "id": post["Id"],
            "score": int(_score(post)),
            "date": _date(post),
            "author": name,
            "author_url": self._url(f"users/{number}") if number else "",
            "licence": licence.spdx,
        }

    def _url(self, path: str) -> str:
        return f"https://{self._site}/{path}" if self._site else ""

    def _place(self, offset: int, length: int) -> Place:
        return Place(self._config, self._path, offset, length)


def site_of(path: Path | S3File) -> str:
    """The site's host, as the archive or the folder is called (`physics.stackexchange.com.7z`)."""
    name = path.name
    if name.lower().endswith(".xml"):
        whole = str(path.absolute()).rstrip("/").rsplit("/", 2)
        name = whole[-2] if len(whole) > 1 else ""
    found = _SITE.fullmatch(re.sub(r"(?i)\.7z$", "", name))
    return found.group(1) if found else ""


def _licence(posts: list[dict[str, Any]]) -> Licence:
    """All posts' licences together: a document is under each of them."""
    stated = [stackexchange_licence(p.get("ContentLicense", ""), _date(p)) for p in posts]
    found = tuple(dict.fromkeys(piece for licence in stated for piece in licence.found))
    if any(licence.spdx == UNKNOWN_LICENCE for licence in stated):
        return Licence(UNKNOWN_LICENCE, None, found)
    names = sorted({licence.spdx for licence in stated})
    said = dict.fromkeys(licence.evidence for licence in stated if licence.evidence)
    return Licence(" AND ".join(names), "; ".join(said)[:500], found)


def _tags(post: dict[str, Any]) -> list[str]:
    """`<a><b>` in older dumps, `|a|b|` in newer ones."""
    return [tag for tag in re.split(r"[<>|]+", post.get("Tags", "")) if tag][:50]


def _score(post: dict[str, Any]) -> float:
    stated = post.get("Score", "")
    return float(stated) if _NUMBER.fullmatch(stated) else 0.0


def _date(post: dict[str, Any]) -> str:
    return str(post.get("CreationDate", ""))[:30]


def _root(path: Path | S3File) -> str:
    found = _ROOT.search(next(iter(open_chunks(path)), b"")[:65536])
    return found.group(1).decode().lower() if found else ""


def _sibling(path: Path | S3File, name: str) -> Path | S3File | None:
    if isinstance(path, Path):
        beside: Path | S3File = path.with_name(name)
    else:
        folder = str(path).rpartition("/")[0]
        beside = S3File(type(path.place).parse(f"{folder}/{name}"), path.config)
    return beside if beside.is_file() else None
