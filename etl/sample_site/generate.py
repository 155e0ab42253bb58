"""`build_site`: the same seed, day, size and port give the same bytes, on every machine."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

from etl.sample_site.draft import Draft, Writer
from etl.sample_site.markup import Link, article_html, break_markup, encode, index_html
from etl.sample_site.model import DEFAULT_PORT, HOSTS, Page, Site, Truth
from etl.sample_site.prose import load_bank

CHANGED, ADDED, REMOVED = 0.05, 0.03, 0.02
"""Shares of the pages that a new day changes, adds and removes."""
TOO_LARGE_BYTES = 6_000_000
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
ROBOTS = {
    HOSTS[0]: "User-agent: *\nDisallow: /private/\nAllow: /private/open.html\n",
    HOSTS[1]: "User-agent: OtherBot\nDisallow: /\n\nUser-agent: *\nDisallow: /drafts/\n"
    "Disallow: /*print=\n",
    HOSTS[2]: "User-agent: *\nCrawl-delay: 0.02\nDisallow: /internal/\n",
}


def build_site(seed: int, day: int = 0, pages: int = 640, port: int = DEFAULT_PORT) -> Site:
    """The site on that day, with `pages` pages besides those of navigation (at least 100).

    Each day after day 0 changes, adds and removes a share of the pages; the bytes of all others
    stay as they were, but for the lists of the latest articles.
    """
    if pages < 100:
        raise ValueError(f"pages is {pages}; a site with every kind of page needs 100")
    writer = Writer(seed, pages)
    drafts = writer.day_zero()
    for today in range(1, day + 1):
        drafts = _next_day(writer, drafts, today)
    builder = _Builder(drafts, port, seed)
    found = [*builder.articles(), *builder.indexes(), *builder.oddities()]
    return Site(seed=seed, day=day, size=pages, port=port, pages=found, robots=ROBOTS)


def _next_day(writer: Writer, drafts: list[Draft], day: int) -> list[Draft]:
    copied = {draft.source for draft in drafts}
    plain = [d for d in drafts if d.plain and d.number not in copied]
    rng = writer.rng("day", day)
    count = round(CHANGED * len(drafts))
    gone = round(REMOVED * len(drafts))
    chosen = rng.sample(plain, min(count + gone, len(plain) - 1))
    fate = {d.number: "change" for d in chosen[:count]} | {d.number: "go" for d in chosen[count:]}
    result = []
    for draft in drafts:
        match fate.get(draft.number):
            case "change":
                result.append(writer.change(draft, day))
            case "go":
                result.append(replace(draft, removed=True, changed_on=day))
            case _:
                result.append(draft)
    added = max(2, round(ADDED * len(drafts)))
    copies = max(1, added // 6)
    long = [d for d in plain if d.number not in fate and len(d.text.encode()) > 1_200]
    result += [writer.article(day) for _ in range(added - copies)]
    result += [writer.copy(d, near=True, day=day) for d in rng.sample(long, min(copies, len(long)))]
    return result


class _Builder:
    """Turns drafts into pages with bytes, headers and truth."""

    def __init__(self, drafts: list[Draft], port: int, seed: int) -> None:
        self._drafts = drafts
        self._port = port
        self._seed = seed
        self._by_number = {d.number: d for d in drafts}
        self._stable = [d for d in drafts if d.added_on == 0 and d.allowed]

    def _url(self, host: str, path: str) -> str:
        return f"http://{host}:{self._port}{path}"

    def articles(self) -> Iterable[Page]:
        for draft in self._drafts:
            yield self._removed(draft) if draft.removed else self._article(draft)

    def _truth(self, draft: Draft) -> Truth:
        source = self._by_number.get(draft.source) if draft.source is not None else None
        return Truth(
            url=self._url(draft.host, draft.path),
            host=draft.host,
            path=draft.path,
            language=draft.language,
            title=draft.title,
            text=draft.text,
            quality=draft.quality,
            licence=draft.licence,
            duplicate_of=self._url(source.host, source.path) if source else None,
            near=draft.near,
            template=draft.template,
            pii=draft.pii,
            hard_negatives=draft.hard,
            markup=draft.markup,
            noindex=draft.noindex,
            allowed_by_robots=draft.allowed,
            expectation="fetched" if draft.allowed else "denied_robots",
            changed_on=draft.changed_on,
        )

    def _removed(self, draft: Draft) -> Page:
        truth = Truth(
            url=self._url(draft.host, draft.path),
            host=draft.host,
            path=draft.path,
            expectation="gone",
            changed_on=draft.changed_on,
        )
        return Page(truth=truth, status=404 if draft.number % 2 else 410)

    def _article(self, draft: Draft) -> Page:
        html = article_html(draft, self._related(draft))
        if draft.markup == "broken":
            html = break_markup(html, draft.number)
        declared = "utf-8" if draft.markup == "wrong_charset" else draft.charset
        body = encode(html, draft.charset, declared)
        content_type = "text/html" if draft.number % 4 == 0 else f"text/html; charset={declared}"
        headers = {"Content-Type": content_type, **_validators(draft.number, body, draft)}
        slow = 0.6 if draft.number == 7 else 0.0
        return Page(truth=self._truth(draft), body=body, headers=headers, delay=slow)

    def _related(self, draft: Draft) -> list[Link]:
        """Links to three articles of day 0, the same every day."""
        rng = Random(f"{self._seed}:related:{draft.number}")
        chosen = rng.sample(self._stable, 3)
        return [
            (d.path if d.host == draft.host else self._url(d.host, d.path), d.title) for d in chosen
        ]

    def indexes(self) -> Iterable[Page]:
        for host in HOSTS:
            mine = [d for d in self._drafts if d.host == host]
            sections: dict[str, list[Draft]] = defaultdict(list)
            for draft in mine:
                if draft.added_on == 0 and draft.allowed:
                    sections[draft.language].append(draft)
            links: list[Link] = []
            for language, drafts in sorted(sections.items()):
                for part, start in enumerate(range(0, len(drafts), 50), 1):
                    path = f"/sections/{language.lower()}-{part}.html"
                    title = f"{load_bank(language).sections['labels'][2]} {part}"
                    entries = [_entry(d) for d in drafts[start : start + 50]]
                    links.append((path, title))
                    yield self._index(host, path, language, title, entries)
            hidden = [(d.path, d.title) for d in mine if not d.allowed]
            yield self._index(host, "/archive.html", "eng", "Archive", [*links, *hidden])
            yield self._index(host, "/", "eng", "Welcome", [*links, *self._odd_links(host)])
            fresh = sorted((d for d in mine if d.added_on), key=lambda d: -d.number)
            day = max((d.added_on for d in fresh), default=0)
            latest = [(d.path, d.title) for d in fresh] or links[:1]
            yield self._index(host, "/latest.html", "eng", "Latest", latest, day)

    def _index(
        self, host: str, path: str, language: str, title: str, links: list[Link], day: int = 0
    ) -> Page:
        body = encode(index_html(host, language, title, links), "utf-8", "utf-8")
        truth = Truth(
            url=self._url(host, path),
            host=host,
            path=path,
            title=title,
            quality="index",
            language=language,
            changed_on=day,
        )
        validators = {"ETag": _etag(body)} if len(path) % 2 else {}
        headers = {"Content-Type": "text/html; charset=utf-8", **validators}
        return Page(truth=truth, body=body, headers=headers)

    def _odd_links(self, host: str) -> list[Link]:
        return [
            (page.truth.path, f"Page {i}")
            for i, page in enumerate(self.oddities(), 1)
            if page.truth.host == host and page.truth.linked
        ]

    def oddities(self) -> list[Page]:
        """Redirects, errors, silence, a page too large, and what robots.txt says by pattern."""
        a, b, c, d = HOSTS
        targets = self._stable[:3]  # the same every day, also when one of them is gone
        html = {"Content-Type": "text/html; charset=utf-8"}
        plain = b"<html><body><p>%s</p></body></html>"
        return [
            self._redirect(a, "/moved/1", 301, targets[0].host, targets[0].path),
            self._redirect(b, "/moved/2", 302, targets[1].host, targets[1].path),
            self._redirect(c, "/moved/3", 308, c, "/moved/4"),
            self._redirect(c, "/moved/4", 307, targets[2].host, targets[2].path),
            self._redirect(d, "/moved/loop-a", 302, d, "/moved/loop-b"),
            self._redirect(d, "/moved/loop-b", 302, d, "/moved/loop-a"),
            self._odd(a, "/missing/1.html", "gone", status=404, headers=html, body=plain % b"404"),
            self._odd(b, "/missing/2.html", "gone", status=410, headers=html),
            self._odd(a, "/broken/500", "http_error", status=500, headers=html),
            self._odd(d, "/broken/503", "http_error", status=503, headers=html),
            self._odd(b, "/slow/never.html", "timeout", headers=html, delay=-1),
            self._odd(
                d,
                "/large/tables.html",
                "too_large",
                headers=html,
                body=b"<html><body>" + b"<p>0123456789</p>\n" * (TOO_LARGE_BYTES // 18),
            ),
            self._odd(
                a,
                "/files/picture.png",
                "refused",
                headers={"Content-Type": "image/png"},
                body=b"\x89PNG\r\n\x1a\n" + bytes(64),
            ),
            self._odd(
                b,
                "/eng/page.html?print=1",
                "denied_robots",
                headers=html,
                body=plain % b"print",
                allowed=False,
            ),
            self._odd(
                a,
                "/private/open.html",
                "fetched",
                headers=html,
                body=plain % b"Open door.",
                quality="thin",
            ),
        ]

    def _redirect(self, host: str, path: str, status: int, to_host: str, to_path: str) -> Page:
        location = to_path if to_host == host else self._url(to_host, to_path)
        return self._odd(host, path, "redirected", status=status, headers={"Location": location})

    def _odd(
        self,
        host: str,
        path: str,
        expectation: str,
        *,
        status: int = 200,
        body: bytes = b"",
        headers: dict[str, str],
        delay: float = 0.0,
        allowed: bool = True,
        quality: str = "none",
    ) -> Page:
        truth = Truth(
            url=self._url(host, path),
            host=host,
            path=path,
            expectation=expectation,
            allowed_by_robots=allowed,
            quality=quality,
        )
        return Page(truth=truth, body=body, status=status, headers=headers, delay=delay)


def _entry(draft: Draft) -> Link:
    """A link in a section; some carry a tracking parameter, which is no part of the identity."""
    tracked = "?utm_source=section" if draft.number % 10 == 3 else ""
    return draft.path + tracked, draft.title


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:16]}"'


def _validators(number: int, body: bytes, draft: Draft) -> dict[str, str]:
    """ETag and Last-Modified, one of them, or none: servers differ."""
    when = _EPOCH + timedelta(days=draft.changed_on, minutes=number)
    modified = {"Last-Modified": format_datetime(when, usegmt=True)}
    etag = {"ETag": _etag(body)}
    return ({**etag, **modified}, {**etag, **modified}, etag, modified, {})[number % 5]
