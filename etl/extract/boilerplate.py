"""What on a web page is not its main text: elements to skip, and lines to drop afterwards.

The rules are about words that the web's authors and templates share (class names such as
`caption`, phrases such as "you may also like"), never about one site. Errors were read on one half
of the article-extraction-benchmark's pages only (split by a hash of the name);
`tests/benchmarks/extract.py` reports both halves. Source of the benchmark:
github.com/scrapinghub/article-extraction-benchmark
"""

from __future__ import annotations

import re

_ELEMENTS = ("figcaption", "button", "nav", "footer", "dialog", "aside")
# A header of two or more paragraphs is a lead, not a masthead.
_MASTHEAD = "header:not(:has(p+p))"
_CLASS_PARTS = (
    "caption",
    "consent",
    "cookie",
    "copyright",
    "credit",
    "disqus",
    "footer",
    "gallery",
    "newsletter",
    "outbrain",
    "popup",
    "promo",
    "recommend",
    "related",
    "share",
    "social",
    "taboola",
)

SKIPPED_ELEMENTS: tuple[str, ...] = (*_ELEMENTS, _MASTHEAD)
"""CSS selectors of elements that never hold main text."""

SKIPPED_CLASSES: tuple[str, ...] = tuple(
    f'[{attribute}*="{part}" i]' for part in _CLASS_PARTS for attribute in ("class", "id")
)
"""CSS selectors of elements whose class or id says boilerplate. Some page builders put such a name
on a wrapper of everything, so the extractor tries again without them when little text is left."""

_SHORT_LINE = 200  # characters; a longer line is running text whatever it begins with
_TAIL_AFTER = 0.5  # share of the text that must come before a heading such as "Related articles"


def _line_pattern(*alternatives: str) -> re.Pattern[str]:
    """Matches a whole line of one of these, whatever punctuation is around it."""
    return re.compile(rf"^\W*(?:{'|'.join(alternatives)})\W*$", re.IGNORECASE)


_BOILERPLATE_LINE = _line_pattern(
    # Cookies and consent
    r"(?:this|our|the) (?:web ?)?site uses (?:cookies|tracking)\b.{0,160}",
    r"(?:we|i) (?:also )?use cookies\b.{0,160}",
    r"by (?:continuing|choosing|clicking|using)\b.{0,80}\b(?:cookies?|consent|agree|terms).{0,80}",
    r"(?:accept|manage|reject) (?:all )?cookies|cookie (?:policy|settings|preferences).{0,40}",
    # Rights
    r"(?:©|\(c\)|copyright)\s.{0,120}|.{0,120}\ball rights reserved\b.{0,60}",
    r"alle rechte vorbehalten|tous droits réservés",
    r"todos (?:los|os) (?:derechos|direitos) reserv\w*",
    # Pictures
    r"(?:photo(?:graph)?|image|picture|video|credit|foto|bild|crédit|crédito)s?"
    r"\s?(?:by|credit|courtesy|source|via)?\s?: .{0,120}",
    r"\(?(?:image|photo|credit)s?:? (?:credit|source|©).{0,120}",
    r"(?:image|photo|slide) \d+ (?:of|/).{0,12}|caption|close",
    # Advertisements
    r"advertise?ments?\b.{0,30}|anzeige|werbung|publicité|publicidad|реклама|广告",
    # Share, subscribe, sign in
    r"(?:please )?(?:share|tweet|pin|print|e-?mail)(?: (?:this|on|via|it|to)\b.{0,60})?",
    r"(?:like|liked) this (?:story|article|post).{0,60}|\d+ (?:shares?|comments?|likes?|views?)",
    r"(?:follow|find|join|like) (?:us|me) on .{0,80}",
    r"(?:subscribe|sign up|register|log ?in|sign in)(?: (?:to|for|now|here|today|up)\b.{0,100})?",
    r"teilen|partager|compartir|分享到?|扫一扫|シェア",
    # Read on
    r"(?:read|learn|see|watch|view|load|show|find out) (?:also|more|next|all|now)(?:\b.{0,80})?",
    r"(?:also read|see also|related|recommended|more (?:info|stories))\b.{0,12}:.{0,150}",
    r"explore further|loading\W*|back to (?:the )?top|continue(?: reading)?",
    r"(?:next|previous) (?:post|article|page|story).{0,80}",
    r"click here (?:to|for)\b.{0,100}|skip to (?:main )?content",
    r"(?:mehr zum thema|lesen sie auch|auch interessant|lire aussi|à lire aussi)\b.{0,120}",
    r"(?:lea también|te puede interesar|leia (?:também|mais)|leggi anche|lees ook)\b.{0,120}",
    r"(?:czytaj (?:też|także|również)|читайте также)\b.{0,120}",
    r"(?:相关(?:阅读|文章|新闻|推荐)|推荐阅读|延伸阅读|関連記事|関連リンク|관련\s?기사).{0,40}",
    # About the page
    r"(?:filed under|tags?|tagged|categor(?:y|ies)|topics?|posted (?:in|by|on)|source)\s?:.{0,120}",
    r"(?:责任编辑|编辑|版权(?:所有|声明)).{0,40}",
)
_TAIL_HEADING = _line_pattern(
    r"(?:related|recommended|popular|trending|latest|similar) (?:articles?|posts?|stories|news)",
    r"(?:related|recommended|popular|trending|latest|similar) (?:content|reading|categories)",
    r"(?:related|recommended|popular|trending|latest|similar) (?:topics|videos?|links?)",
    r"most (?:read|popular|viewed)|top stories|more (?:from|in|on|stories|news)\b.{0,40}",
    r"you (?:may|might) also (?:like|enjoy|be interested).{0,12}",
    r"(?:read|see|check) (?:next|also)|what to read next|share this.{0,30}",
    r"(?:leave|post|add) (?:a|your) (?:reply|comment).{0,20}|comments?(?: \(\d+\))?",
    r"\d+ (?:comments?|responses?|thoughts?)\b.{0,60}|sponsored (?:links?|content).{0,20}",
    r"about (?:the|this) authors?|join the (?:discussion|conversation)",
    r"(?:kommentare?|commentaires?|comentarios?|comentários|commenti)(?: \(\d+\))?",
    r"(?:komentarze|комментарии|评论|コメント|댓글)(?: \(\d+\))?",
    r"mehr zum thema|das könnte (?:sie|dich) auch interessieren|sur le même sujet",
    r"articles? (?:similaires|liés)|artículos? relacionados?|noticias relacionadas",
    r"artigos relacionados|articoli correlati|похожие (?:статьи|новости)",
    r"相关(?:阅读|文章|新闻|推荐)|関連記事",
)


def is_boilerplate(line: str) -> bool:
    """A short line: a photo credit, a cookie notice, a call to share, subscribe or read on."""
    return len(line) <= _SHORT_LINE and _BOILERPLATE_LINE.match(line) is not None


def main_lines(lines: list[str]) -> list[str]:
    """The lines without page furniture; blank lines stay, as paragraph marks.

    Dropped: lines for which `is_boilerplate` holds, and everything from a heading such as "Related
    articles" or "Comments" on, where at least half of the text comes before it. Trimming short
    lines at the edges and repeated lines was tried too: it cost more recall than it won precision.
    """
    kept = [line for line in lines if not is_boilerplate(line.strip())]
    wanted = _TAIL_AFTER * sum(map(len, kept))
    before = 0
    for index, line in enumerate(kept):
        if before >= wanted and _TAIL_HEADING.match(line.strip()):
            return kept[:index]
        before += len(line)
    return kept
