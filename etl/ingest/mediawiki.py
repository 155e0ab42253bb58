"""MediaWiki dumps (`pages-articles.xml`, also compressed, also multistream), page by page.

Source: mediawiki.org/wiki/Help:Export (the export schema).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from etl.ingest.config import IngestConfig
from etl.ingest.rows import Place, Row, failed, kept, rejected
from etl.ingest.streams import open_chunks
from etl.ingest.wikitext import Wiki, plain_text
from etl.ingest.xmlstream import Element, read_elements
from etl.licence.evidence import Evidence, Licence, resolve
from etl.licence.sites import wikimedia_licence
from etl.storage.files import S3File

REDIRECT, EMPTY = "mediawiki.redirect", "mediawiki.empty"
NAMESPACE, MODEL = "mediawiki.namespace", "mediawiki.content_model"
_FILE_KEYS, _CATEGORY_KEY = ("6", "-2"), "14"


@dataclass(frozen=True, slots=True)
class _Site:
    """What `siteinfo` says of all pages."""

    wiki: Wiki
    name: str = ""
    base: str = ""  # a page's URL without its title
    language: str = ""
    licence: Licence | None = None


def read_pages(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    """A row a page. Rejected are redirects, pages without text, of other namespaces or no wikitext;
    a broken page is quarantined, and the next one is read. The last revision of a page counts."""
    site = _Site(Wiki(), licence=_configured(config))
    chunks = open_chunks(path)
    for element in read_elements(chunks, ("page",), config.max_record_bytes, "revision"):
        place = Place(config, path, element.offset, element.length)
        if element.error_class:
            yield failed(place, element.error_class, element.message)
        elif element.name == "siteinfo":
            site = _site(element, config)
        elif element.name == "page":
            yield _page(place, element, site)


def _page(place: Place, page: Element, site: _Site) -> Row:
    title, text = page.text("title").strip(), page.text("revision/text")
    url = _url(site, title)
    extra = {
        "title": title,
        "page_id": page.text("id").strip(),
        "revision": page.text("revision/id").strip(),
        "date": page.text("revision/timestamp").strip(),
        "site": site.name,
    }
    namespace, model = page.text("ns").strip() or "0", page.text("revision/model").strip()
    if namespace not in map(str, place.config.formats.wiki_namespaces):
        # Text of another namespace, not a wrong one: the score is its number.
        number = float(namespace) if namespace.lstrip("-").isdecimal() else -1.0
        allowed = float(place.config.formats.wiki_namespaces[0])
        return rejected(place, NAMESPACE, number, allowed, url=url, **extra)
    if page.has("redirect"):
        return rejected(place, REDIRECT, 1, 0, url=url, **extra)
    if model not in ("", "wikitext"):
        return rejected(place, MODEL, 1, 0, url=url, **extra)
    plain = plain_text(text, site.wiki)
    if not plain.text:
        return rejected(place, EMPTY, 0, 1, url=url, **extra)
    return kept(
        place, plain.text, url=url, licence=site.licence, **extra,
        language=site.language, categories=list(plain.categories),
    )  # fmt: skip


def _url(site: _Site, title: str) -> str:
    if not site.base or not title:
        return ""
    return site.base + quote(title.replace(" ", "_"), safe="/:@!$*(),;~'")


def _site(info: Element, config: IngestConfig) -> _Site:
    names: dict[str, set[str]] = {"files": {"file", "image", "media"}, "categories": {"category"}}
    language = ""
    for value in info.values:
        key = value.attributes.get("key", "")
        if value.path == "namespaces/namespace" and value.text:
            kind = "files" if key in _FILE_KEYS else "categories" if key == _CATEGORY_KEY else ""
            if kind:
                names[kind].add(value.text.strip().lower())
    base = info.text("base").strip()
    host = _host(base)
    if host.count(".") >= 2:
        language = host.split(".")[0]
    return _Site(
        Wiki(frozenset(names["files"]), frozenset(names["categories"])),
        name=info.text("sitename").strip(),
        base=base.rpartition("/")[0] + "/" if host and base.count("/") > 2 else "",
        language=language if len(language) in (2, 3) else "",
        licence=wikimedia_licence(host) or _configured(config),
    )


def _host(base: str) -> str:
    try:
        parts = urlsplit(base)
        return (parts.hostname or "") if parts.scheme in ("http", "https") else ""
    except ValueError:
        return ""


def _configured(config: IngestConfig) -> Licence | None:
    licence = config.formats.wiki_licence
    if not licence:
        return None
    return resolve([Evidence("dataset_card", licence, licence, "setting wiki_licence")])
