"""The gate that every request passes: address, robots.txt, opt-outs, pace, licence, size.

An item has two phases. While its metadata is read, media are not requested unless their licence is
already known and allowed; once `open_media` has been called, they are counted against the limits.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NoReturn
from urllib.parse import urljoin, urlsplit

from etl.crawl.directives import (
    MAX_TDMREP_BYTES,
    Reservations,
    is_reserved,
    opt_outs,
    robots_directives,
)
from etl.crawl.links import page_links
from etl.crawl.rules import (
    MAX_ROBOTS_AGE,
    MAX_ROBOTS_BYTES,
    MAX_ROBOTS_REDIRECTS,
    Rules,
    read_rules,
)
from etl.crawl.urls import UrlRefusedError, canonical_url, host_of, hostname_of, is_public
from etl.platforms import wire
from etl.platforms.config import PlatformConfig

REDIRECTS = (301, 302, 303, 307, 308)
_PAGE_LINKS = 1_000  # looked through for its robots directives
_MEDIA_PATH = re.compile(
    r"\.(?:mp4|m4v|m4a|mov|webm|mkv|mka|ogg|ogv|oga|opus|mp3|aac|wav|flac|avi|wmv|wma|flv|f4v|3gp"
    r"|mpe?g|ts|m2ts|m4s|m3u8|mpd|ism|f4m)$",
    re.IGNORECASE,
)
_MEDIA_TYPE = re.compile(r"(?:video|audio)/(?!(?:x-)?mpegurl)|application/ogg$")


class Refused(Exception):
    """The gate's decision on a request: a rule's id, and why."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule, self.message = rule, message


@dataclass(slots=True)
class Gate:
    """The state of one process. `restarted`: hosts may have been asked a moment ago."""

    config: PlatformConfig
    restarted: bool = False
    run_bytes: int = 0
    item_bytes: int = 0
    refusals: list[Refused] = field(default_factory=list)
    asked: bool = False
    """Whether robots.txt allowed at least one request of the item."""
    page: tuple[str, bytes] | None = None
    """The item's first HTML page: its URL and source."""
    opt_outs: set[str] = field(default_factory=set)
    """Reservations found on the item's page and on whatever else it asked for."""
    _stop: Refused | None = None
    _spent: bool = False
    _media: bool = False
    _strict: bool = False
    _licence: Callable[[], Refused | None] = lambda: None
    _rules: dict[str, Rules] = field(default_factory=dict)
    _last: dict[str, float] = field(default_factory=dict)
    _born: float = field(default_factory=time.monotonic)

    def begin(self, *, page_decides: bool, licence: Callable[[], Refused | None]) -> None:
        """A new item. `licence` refuses by what is known so far; where no platform states a
        licence (`page_decides`) it is asked before anything that looks like media is requested."""
        self.item_bytes, self.page, self._stop, self.asked = 0, None, None, False
        self.refusals, self.opt_outs = [], set()
        self._media, self._strict, self._licence = False, page_decides, licence

    def open_media(self, already: int = 0) -> None:
        """The item may be downloaded; `already` bytes of it lie here from an earlier run."""
        self._media = True
        self.item_bytes = already
        self.require_budget(0)

    @property
    def media_open(self) -> bool:
        return self._media

    def admit(self, url: str) -> None:
        """Waits for the host's turn and returns, or raises `Refused`: then nothing is sent."""
        if self._stop is not None:
            raise self._stop
        try:
            self._check(url)
        except Refused as refusal:
            self.refusals.append(refusal)
            raise
        self.asked = True

    def _check(self, url: str) -> None:
        canonical = self.require_address(url)
        undecided = self._strict and not self._media
        if undecided and _MEDIA_PATH.search(urlsplit(url).path) and (no := self._licence()):
            raise no
        host = hostname_of(canonical)
        rules = self._rules_of(canonical)
        limit = self.config.max_crawl_delay_seconds
        if rules.delay > limit:
            message = f"{host}: robots.txt asks for a delay of {rules.delay:g} s, over {limit:g} s"
            raise Refused("platform.crawl_delay", message)
        if refused := rules.refusal(canonical, self.config.product):
            raise Refused("platform.robots", f"{canonical}: {refused}")
        if rules.reserves(canonical):
            self._reserved(canonical, frozenset({"tdm-reservation"}), "tdmrep.json")
        self._wait(host_of(canonical), rules.delay)

    def require_address(self, url: str) -> str:
        """The URL in its canonical form, or `Refused`. Names are looked at when resolved."""
        try:
            canonical = canonical_url(url)
        except UrlRefusedError as error:
            raise Refused("platform.url", f"{url[:200]}: {error}") from None
        host = hostname_of(canonical)
        if _is_private_literal(host) and not self.config.may_be_private(canonical):
            raise Refused("platform.private_address", f"{host_of(canonical)} is not public")
        return canonical

    def look(self, answer: wire.Answer) -> None:
        """Looks at an answer's headers before its body is read; raises `Refused`."""
        try:
            self._reserved(answer.url, _said(answer, self.config.product), "its headers")
        except Refused:
            answer.body.close()
            raise
        length = int(text) if (text := answer.header("Content-Length")).isdecimal() else 0
        try:
            if self._media:
                self.require_room(length)
            elif looks_like_media(answer) and (no := self._licence()):
                self.refusals.append(no)
                raise no
        except Refused:
            answer.body.close()
            raise

    def take_page(self, answer: wire.Answer, body: bytes) -> None:
        """Keeps the item's first HTML page; raises `Refused` when it reserves itself."""
        if self.page is not None:
            return
        self.page = (answer.url, body)
        kind, product = answer.header("Content-Type"), self.config.product
        said = page_links(body, answer.url, kind, limit=_PAGE_LINKS, product=product).directives
        self._reserved(answer.url, said, "its meta elements")

    def _reserved(self, url: str, said: frozenset[str], where: str) -> None:
        """Records opt-outs, and refuses the item for one that is obeyed."""
        self.opt_outs.update(opt_outs(said))
        if obeyed := sorted(said & set(self.config.obey_opt_outs)):
            self.refuse(Refused("platform.opted_out", f"{url}: {', '.join(obeyed)} in {where}"))

    def require_room(self, count: int) -> None:
        """Raises `Refused`, and refuses all that follows, when `count` more bytes are too many."""
        limit = self.config.max_item_bytes
        if self.item_bytes + count > limit:
            self.refuse(Refused("platform.too_large", f"more than max_item_bytes {limit}"))
        self.require_budget(count)

    def require_budget(self, count: int) -> None:
        limit = self.config.max_run_bytes
        self._spent = self._spent or self.run_bytes + count > limit
        if self._spent:  # for what is smaller too: each try would cost the host a request
            message = f"max_run_bytes {limit} is spent; run again to go on"
            self.refuse(Refused("platform.budget", message))

    def count(self, received: int) -> None:
        """Books media bytes that arrived."""
        if self._media:
            self.item_bytes += received
            self.run_bytes += received
            if received:
                self.require_room(0)

    def refuse(self, refusal: Refused) -> NoReturn:
        """Refuses the item: this request and all that follow."""
        self._stop = refusal
        self.refusals.append(refusal)
        raise refusal

    def _wait(self, host: str, crawl_delay: float) -> None:
        delay = max(self.config.delay_seconds, crawl_delay)
        last = self._last.get(host, self._born if self.restarted else float("-inf"))
        time.sleep(max(0.0, last + delay - time.monotonic()))
        self._last[host] = time.monotonic()

    def finished(self, url: str) -> None:
        """Counts the pace from the end of an answer, so that a slow host is spared too."""
        self._last[host_of(url)] = time.monotonic()

    def _rules_of(self, url: str) -> Rules:
        origin = url.split("//", 1)[0] + "//" + host_of(url)
        known = self._rules.get(origin)
        if known is None or time.monotonic() > known.expires:
            known = self._rules[origin] = self._fetch_rules(origin)
        return known

    def _fetch_rules(self, origin: str) -> Rules:
        answered = self._fetch_file(f"{origin}/robots.txt", MAX_ROBOTS_BYTES)
        rules = read_rules(*answered, self.config.product) if answered else Rules()
        if not rules.denied:
            try:
                told = self._fetch_file(f"{origin}/.well-known/tdmrep.json", MAX_TDMREP_BYTES)
            except (Refused, wire.WireError):  # a host that fails on it reserves nothing by it
                told = None
            if told and told[0] == 200:
                rules = replace(rules, reservations=Reservations.parse(told[1]))
        return replace(rules, expires=time.monotonic() + MAX_ROBOTS_AGE)

    def _fetch_file(self, url: str, limit: int) -> tuple[int, bytes] | None:
        """(status, first bytes) of a host's file about itself; None when redirects lead nowhere."""
        for _ in range(MAX_ROBOTS_REDIRECTS + 1):
            self._wait(host_of(url), 0)
            answer = self.send(url, {})
            location = answer.header("Location")
            if answer.status not in REDIRECTS or not location:
                body = answer.body.read_some(limit)
                self.finished(url)
                return answer.status, body
            answer.body.close()
            try:
                url = canonical_url(urljoin(url, location))
            except UrlRefusedError:
                break
        return None

    def send(
        self, url: str, headers: dict[str, str], method: str = "GET", data: bytes | None = None
    ) -> wire.Answer:
        """Sends what was admitted, under our own name. Raises `Refused` or `wire.WireError`."""
        ours = {"User-Agent": self.config.header, "Accept-Encoding": "identity"}
        try:
            return wire.send(
                url,
                {"Accept": "*/*", **headers, **ours},
                timeout=self.config.timeout_seconds,
                allow_private=self.config.may_be_private(url),
                method=method,
                data=data,
            )
        except wire.AddressRefusedError as error:
            raise Refused("platform.private_address", str(error)) from None


def _said(answer: wire.Answer, product: str) -> frozenset[str]:
    said = robots_directives(answer.headers.get_all("X-Robots-Tag") or (), product)
    reserved = is_reserved(answer.headers.get("TDM-Reservation"))
    return said | {"tdm-reservation"} if reserved else said


def looks_like_media(answer: wire.Answer) -> bool:
    """Whether the body is sound or pictures (a manifest is not), by its headers and its name."""
    kind = answer.header("Content-Type").split(";")[0].strip().lower()
    if kind in ("", "application/octet-stream", "binary/octet-stream"):
        return bool(_MEDIA_PATH.search(urlsplit(answer.url).path))
    return bool(_MEDIA_TYPE.match(kind))


def _is_private_literal(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return bool(re.fullmatch(r"[0-9.]+|.*:.*", host)) and not is_public(host)
