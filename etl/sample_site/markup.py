"""From drafts to HTML: navigation, footers, licence marks, and markup gone bad."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from etl.sample_site.draft import Draft
from etl.sample_site.model import HOSTS
from etl.sample_site.prose import join_sentences, load_bank

_TAGS = {
    "cmn_Hans": "zh-CN", "cmn_Hant": "zh-TW", "eng": "en", "deu": "de", "fra": "fr", "spa": "es",
    "ita": "it", "por": "pt", "nld": "nl", "rus": "ru", "pol": "pl", "jpn": "ja", "kor": "ko",
}  # fmt: skip
_LICENCE_URLS = {
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-NC-ND-4.0": "https://creativecommons.org/licenses/by-nc-nd/4.0/",
}
Link = tuple[str, str]


def _licence(draft: Draft) -> tuple[str, str]:
    """What goes into the head and into the footer: one of three ways to say it."""
    url = _LICENCE_URLS.get(draft.licence)
    if url is None:
        return "", ""
    match draft.number % 3:
        case 0:
            return "", f'<p><a rel="license" href="{url}">{draft.licence}</a></p>'
        case 1:
            data = f'{{"@context": "https://schema.org", "@type": "Article", "license": "{url}"}}'
            return f'<script type="application/ld+json">{data}</script>', ""
        case _:
            return f'<meta name="dc.rights" content="{url}">', ""


def _list(links: Sequence[Link]) -> str:
    items = "".join(f'<li><a href="{escape(u)}">{escape(t)}</a></li>\n' for u, t in links)
    return f"<ul>\n{items}</ul>"


def _frame(
    host: str, language: str, title: str, head: str, main: str, related: str, foot: str
) -> str:
    """A page of one host: each host has its own arrangement around the main part."""
    home, latest, archive, name, also, imprint = load_bank(language).sections["labels"]
    style = HOSTS.index(host)
    nav = _list([("/", home), ("/latest.html", latest), ("/archive.html", archive)])
    side = f"<aside><h3>{also}</h3>\n{related}</aside>" if related else ""
    top = (
        f"<header><p>{name}</p><nav>{nav}</nav></header>",
        f'<div id="top" class="navigation"><div class="menu">{nav}</div></div>',
        f"<nav>{nav}</nav>",
        f'<header class="site-header"><a href="/">{name}</a></header><nav>{nav}</nav>',
    )[style]
    middle = f"{main}\n{side}" if style % 2 == 0 else f'<div class="columns">{main}{side}</div>'
    return (
        f'<!DOCTYPE html>\n<html lang="{_TAGS[language]}">\n<head>\n'
        f"<title>{escape(title)} | {name}</title>\n{head}\n</head>\n<body>\n{top}\n{middle}\n"
        f"<footer><p>{imprint}</p>{foot}</footer>\n</body>\n</html>\n"
    )


def article_html(draft: Draft, related: Sequence[Link]) -> str:
    """The whole page of an article, well-formed, without its charset declaration."""
    licence_head, licence_foot = _licence(draft)
    robots = '<meta name="robots" content="noindex">' if draft.noindex else ""
    body = "\n".join(
        f"<p>{escape(join_sentences(draft.language, p), quote=False)}</p>" for p in draft.paragraphs
    )
    main = f"<main><article>\n<h1>{escape(draft.title)}</h1>\n{body}\n</article></main>"
    return _frame(
        draft.host, draft.language, draft.title, licence_head + robots, main, _list(related),
        licence_foot,
    )  # fmt: skip


def index_html(host: str, language: str, title: str, links: Sequence[Link]) -> str:
    """A page of links."""
    main = f"<main><h1>{escape(title)}</h1>\n{_list(links)}</main>"
    return _frame(host, language, title, "", main, "", "")


def encode(html: str, charset: str, declared: str) -> bytes:
    """The bytes of a page that says `declared` and is written in `charset`."""
    html = html.replace("<head>\n", f'<head>\n<meta charset="{declared}">\n', 1)
    return html.encode(charset, "xmlcharrefreplace")


def break_markup(html: str, number: int) -> str:
    """The same text in markup that only a lenient parser can read."""
    html = html.replace("</p>", "").replace("</li>", "")
    if number % 2:
        html = html.replace("<article>", "<ARTICLE class=story id='x>").replace("id='x", "id=x")
        html = html.replace("</article>", "</div></span></article>")
    else:
        html = html.replace("<h1>", "<table><tr><td><h1>", 1).replace("</h1>", "</h2>", 1)
    return html.replace("</body>\n</html>\n", "<p")
