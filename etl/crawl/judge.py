"""From an answer, or its absence, to one of the verdicts of the fetch log. Pure."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scrapy import exceptions as errors

from etl.crawl.directives import is_reserved, opt_outs, robots_directives
from etl.crawl.job import CrawlJob
from etl.crawl.links import PageLinks, page_links
from etl.crawl.robots import HostRefusedError, OptedOutError, RobotsDeniedError
from etl.crawl.routing import PrivateAddressError, PublicResolver
from etl.crawl.schedule import Visit
from etl.crawl.sitemaps import SitemapError, read_sitemap
from etl.crawl.traps import trap_of
from etl.crawl.urls import UrlRefusedError, canonical_url, hostname_of, in_scope
from schemas.identity import sha256_hex

if TYPE_CHECKING:
    from scrapy.http import Response

_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_INDEXES = 3  # sitemap indexes within indexes
_HTML = ("text/html", "application/xhtml+xml")


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a visit ended: columns of the fetch log, and where the crawl goes from here."""

    verdict: str
    http_status: int | None = None
    bytes: int = 0
    content_type: str | None = None
    content_sha256: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    redirect_to: str | None = None
    message: str | None = None
    canonical: str | None = None
    opt_outs: tuple[str, ...] | None = None
    outlinks: tuple[str, ...] = ()
    follow: str | None = None
    sitemaps: tuple[str, ...] = ()

    def columns(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def judge_answer(job: CrawlJob, visit: Visit, response: Response) -> Judgement:
    """The verdict on a response. `bytes` are those of the body on the wire."""
    status = response.status
    facts: dict[str, Any] = {
        "http_status": status if 100 <= status <= 599 else None,
        "bytes": response.request.meta["wire"][1] if response.request else 0,
        "content_type": _header(response, "Content-Type"),
        "etag": _header(response, "ETag"),
        "last_modified": _header(response, "Last-Modified"),
    }
    if status == 304 and visit.sha256:
        facts["etag"] = facts["etag"] or visit.etag
        facts["last_modified"] = facts["last_modified"] or visit.last_modified
        return Judgement("not_modified", content_sha256=visit.sha256, **facts)
    if status in _REDIRECTS:
        return _redirect(job, visit, response, facts)
    if status in (404, 410):
        return Judgement("gone", **facts)
    if status != 200:
        return Judgement("http_error", message=f"status {status}", **facts)
    if visit.sitemap:
        return _sitemap(job, visit, response, facts)
    return _page(job, visit, response, facts)


def _page(job: CrawlJob, visit: Visit, response: Response, facts: dict[str, Any]) -> Judgement:
    config, content_type = job.config, facts["content_type"]
    kind = (content_type or "text/html").split(";")[0].strip().lower()
    if kind not in config.content_types:
        return Judgement("refused", message=f"content type {kind}", **facts)
    found = PageLinks()
    if kind in _HTML:
        found = page_links(
            response.body, visit.url, content_type, limit=config.max_links,
            drop_parameters=config.drop_parameters, product=config.product,
        )  # fmt: skip
    said = found.directives | _header_directives(response, config.product)
    facts["opt_outs"] = opt_outs(said) or None
    facts["canonical"] = found.canonical
    links = found.links if "nofollow" not in said else ()
    if found.canonical and found.canonical != visit.url:
        links = (found.canonical, *links)
    links = tuple(url for url in links if _visitable(job, url))
    obeyed = sorted(said & set(config.obey_opt_outs))
    if obeyed:
        return Judgement("opted_out", message=", ".join(obeyed), outlinks=links, **facts)
    facts["content_sha256"] = sha256_hex(response.body)
    if facts["content_sha256"] == visit.sha256:
        return Judgement("not_modified", message="the same bytes", **facts)
    return Judgement("fetched", outlinks=links, **facts)


def _header_directives(response: Response, product: str) -> frozenset[str]:
    values = [value.decode("latin-1") for value in response.headers.getlist("X-Robots-Tag")]
    said = robots_directives(values, product)
    if is_reserved(_header(response, "TDM-Reservation")):
        said |= {"tdm-reservation"}
    return said


def _sitemap(job: CrawlJob, visit: Visit, response: Response, facts: dict[str, Any]) -> Judgement:
    config = job.config
    try:
        found = read_sitemap(
            response.body, limit=config.max_sitemap_urls, drop_parameters=config.drop_parameters
        )
    except SitemapError as error:
        return Judgement("refused", message=f"sitemap: {error}"[:500], **facts)
    return Judgement(
        "sitemap",
        outlinks=tuple(url for url in found.pages if _visitable(job, url)),
        sitemaps=tuple(url for url in found.sitemaps if _visitable(job, url))
        if visit.hops < _MAX_INDEXES
        else (),
        **facts,
    )


def _visitable(job: CrawlJob, url: str) -> bool:
    return in_scope(url, job.hosts) and not trap_of(url, job.config)


def _redirect(job: CrawlJob, visit: Visit, response: Response, facts: dict[str, Any]) -> Judgement:
    location = _header(response, "Location")
    if not location:
        return Judgement("http_error", message=f"status {response.status}, no Location", **facts)
    try:
        joined = response.replace(url=visit.url).urljoin(location)
        target = canonical_url(joined, job.config.drop_parameters)
    except (UrlRefusedError, ValueError) as error:
        return Judgement("http_error", message=f"redirect to {location[:200]!r}: {error}", **facts)
    facts["redirect_to"] = target
    trap = trap_of(target, job.config)
    if trap:
        return Judgement("redirected", message=f"not followed: a crawl trap, {trap}", **facts)
    if not in_scope(target, job.hosts):
        return Judgement("redirected", message="not followed: another site", **facts)
    if visit.hops >= job.config.max_redirects:
        message = f"not followed: more than {job.config.max_redirects} redirects"
        return Judgement("redirected", message=message, **facts)
    return Judgement("redirected", follow=target, **facts)


def judge_failure(visit: Visit, error: BaseException) -> Judgement:
    """The verdict on a visit that got no answer."""
    message = (str(error).splitlines() or [type(error).__name__])[0][:500]
    address = PublicResolver.refused.get(hostname_of(visit.url))
    if address is not None:
        return Judgement("refused", message=f"resolves to {address}, which is not public")
    if isinstance(error, OptedOutError):
        return Judgement("opted_out", message=message, opt_outs=("tdm-reservation",))
    if isinstance(error, RobotsDeniedError):
        return Judgement("denied_robots", message=message)
    if isinstance(error, (PrivateAddressError, HostRefusedError)):
        return Judgement("refused", message=message)
    if isinstance(error, errors.DownloadTimeoutError) or "Timeout" in type(error).__name__:
        return Judgement("timeout", message=message)
    if isinstance(error, errors.DownloadCancelledError) or "DOWNLOAD_MAXSIZE" in message:
        return Judgement("too_large", message=message)
    return Judgement("network_error", message=f"{type(error).__name__}: {message}")


def _header(response: Response, name: str) -> str | None:
    value = response.headers.get(name)
    return value.decode("latin-1").strip() or None if value is not None else None
