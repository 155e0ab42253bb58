"""What on a web page is not its main text: elements to skip, and lines to drop afterwards.

The rules are about words that the web's authors and templates share (class names such as
`caption`, phrases such as "you may also like"), never about one site. Errors were read on one half
of the article-extraction-benchmark's pages only (split by a hash of the name);
`tests/benchmarks/extract.py` reports both halves. github.com/scrapinghub/article-extraction-benchmark
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

_BOILERPLATE_LINE = re.compile(
    r"""^\W*(?:
      (?:this|our|the)\ (?:web\s?)?site\ uses\ (?:cookies|tracking)\b.{0,160} | (?:we|i)\ (?:also\ )?use\ cookies\b.{0,160}
    | by\ (?:continuing|choosing|clicking|using)\b.{0,80}\b(?:cookies?|consent|agree|terms)\b.{0,80}
    | (?:accept|manage|reject)\ (?:all\ )?cookies | cookie\ (?:policy|settings|preferences).{0,40}
    | (?:©|\(c\)|copyright)\s.{0,120} | .{0,120}\ball\ rights\ reserved\b.{0,60}
    | alle\ rechte\ vorbehalten | tous\ droits\ réservés | todos\ (?:los|os)\ (?:derechos|direitos)\ reserv\w*
    | (?:photo(?:graph)?|image|picture|video|credit|foto|bild|crédit|crédito)s?\s?(?:by|credit|courtesy|source|via)?\s?:\ .{0,120}
    | \(?(?:image|photo|credit)s?:?\ (?:credit|source|©).{0,120}
    | (?:image|photo|slide)\ \d+\ (?:of|/).{0,12}
    | advertise?ments?\b.{0,30} | anzeige | werbung | publicité | publicidad | реклама | 广告
    | (?:please\ )?(?:share|tweet|pin|print|e-?mail)(?:\ (?:this|on|via|it|to)\b.{0,60})?
    | (?:like|liked)\ this\ (?:story|article|post).{0,60} | \d+\ (?:shares?|comments?|likes?|views?)
    | (?:follow|find|join|like)\ (?:us|me)\ on\ .{0,80}
    | (?:subscribe|sign\ up|register|log\ ?in|sign\ in)(?:\ (?:to|for|now|here|today|up)\b.{0,100})?
    | (?:read|learn|see|watch|view|load|show|find\ out)\ (?:also|more|next|all|now)(?:\b.{0,80})?
    | (?:also\ read|see\ also|related|recommended|explore\ further|more\ (?:info|stories))\b.{0,12}:.{0,150}
    | explore\ further | loading\W* | back\ to\ (?:the\ )?top | (?:next|previous)\ (?:post|article|page|story).{0,80}
    | click\ here\ (?:to|for)\b.{0,100} | skip\ to\ (?:main\ )?content | close | caption | continue(?:\ reading)?
    | (?:filed\ under|tags?|tagged|categor(?:y|ies)|topics?|posted\ (?:in|by|on)|source)\s?:.{0,120}
    | (?:mehr\ zum\ thema|lesen\ sie\ auch|auch\ interessant|lire\ aussi|à\ lire\ aussi|lea\ también|te\ puede\ interesar
      |leia\ (?:também|mais)|leggi\ anche|lees\ ook|czytaj\ (?:też|także|również)|читайте\ также|teilen|partager|compartir)\b.{0,120}
    | (?:相关(?:阅读|文章|新闻|推荐)|推荐阅读|延伸阅读|责任编辑|编辑|分享到?|版权(?:所有|声明)|扫一扫|関連記事|関連リンク|シェア|관련\s?기사).{0,40}
    )\W*$""",
    re.IGNORECASE | re.VERBOSE,
)
_TAIL_HEADING = re.compile(
    r"""^\W*(?:
      (?:related|recommended|popular|trending|latest|similar)\ (?:articles?|posts?|stories|news|content|reading|categories|topics|videos?|links?)
    | (?:most\ (?:read|popular|viewed)|top\ stories|more\ (?:from|in|on|stories|news)\b.{0,40})
    | you\ (?:may|might)\ also\ (?:like|enjoy|be\ interested).{0,12} | (?:read|see|check)\ (?:next|also) | what\ to\ read\ next
    | (?:leave|post|add)\ (?:a|your)\ (?:reply|comment).{0,20} | comments?(?:\ \(\d+\))? | \d+\ (?:comments?|responses?|thoughts?)\b.{0,60}
    | sponsored\ (?:links?|content).{0,20} | about\ (?:the|this)\ authors? | join\ the\ (?:discussion|conversation) | share\ this.{0,30}
    | (?:kommentare?|commentaires?|comentarios?|comentários|commenti|komentarze|комментарии|评论|コメント|댓글)(?:\ \(\d+\))?
    | (?:mehr\ zum\ thema|das\ könnte\ (?:sie|dich)\ auch\ interessieren|sur\ le\ même\ sujet|articles?\ (?:similaires|liés)
      |artículos?\ relacionados?|noticias\ relacionadas|artigos\ relacionados|articoli\ correlati|похожие\ (?:статьи|новости)|相关(?:阅读|文章|新闻|推荐)|関連記事)
    )\W*$""",
    re.IGNORECASE | re.VERBOSE,
)


def is_boilerplate(line: str) -> bool:
    """A short line that is a photo credit, a cookie notice, a call to share, subscribe or read on."""
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
