"""Whether markup about a licence speaks of this page: not of a picture, a quoted work, a topic."""

from __future__ import annotations

import re
from typing import Any

_HIDDEN = (
    "[hidden], template, [style*='display:none' i], [style*='display: none' i], "
    "[style*='visibility:hidden' i], [style*='visibility: hidden' i]"
)
_PICTURE = (
    "figure, figcaption, [class*=caption i]:not(body), [class*=credit i]:not(body), "
    "[class~=thumb i], [class~=gallery i]"
)
_OTHER_WORK = (
    "blockquote, [class~=comment i]:not(body), [class*=comment-body i], [class*=comment-content i],"
    " [class*=comments-area i], [class*=oembed i], [class*=embed-card i], article article"
)
_BLOCKS = frozenset({"b", "i", "em", "strong", "span", "small", "abbr", "u", "font", "cite"})
_MAIN_ITEMS = frozenset({"mainentity", "mainentityofpage"})
PICTURE_TYPES = frozenset({"ImageObject", "VideoObject", "AudioObject", "MediaObject", "Dataset"})

_LICENCE_WORD = re.compile(
    r"licen[sc]|lizenz|licen[cç]ia|licenza|licentie|lisans|лиценз|ліценз|许可|授权|許可|授權|"
    r"ライセンス|라이선스|ترخيص|רישיון|लाइसेंस|สัญญาอนุญาต|giấy phép|lisensi|leseni|creative commons",
    re.IGNORECASE,
)
# The sentence is a label ("Licence: ...", "Licensed under ...", "Text under ...").
_LABEL = re.compile(
    r"^\W*(?:(?:text|content)s?\s+(?:is\s+|are\s+)?(?:under|available|licen[sc]ed)\b|"
    r"(?:available|published|released|shared|distributed|licen[sc]ed|lizenziert|veröffentlicht)\b|"
    r"(?:licen[sc]e|licencia|licença|licenza|licentie|lizenz|lisans|лицензия|ліцензія|"
    r"许可(?:协议|证)?|授权(?:协议|方式)?|許可|授權(?:條款|方式)?|ライセンス|라이선스|"
    r"giấy phép|lisensi|leseni)\s*[:：=–—-])",
    re.IGNORECASE,
)
# It speaks of the very page: "this work", "unless otherwise noted", in the languages known here.
_SELF = re.compile(
    r"\bthis(?!\s+(?:licen[sc]e|deed|type|kind|means|version))\b|\botherwise\b|"
    r"\ball\s+(?:content|texts?|articles|posts|pages)\b|\bdies(?:e[rsnm]?)?\s+(?!lizenz)|\banders\b|"
    r"\bce(?:t|tte)?\s+(?!licen)|\bsauf\b|\best[ea]\s+(?!licen)|\bsalvo\b|\bquest[oa']|\btenzij\b|"
    r"\bdeze\s+(?!licen)|\bэт(?:от|а|о)\s+(?!лиценз)|\bцей\b|\bця\b|本(?!许可|授权|許可|授權|ライセンス)|"
    r"除非|除另|この(?!ライセンス)|이\s(?!라이선스)|본\s|\bbu\s|هذا|هذه|זה|यह|นี้|\bnày\b|\bini\b|\bhii\b",
    re.IGNORECASE,
)
_NOT_BEFORE = re.compile(
    r"(?:\b(?:(?<!if\s)(?<!where\s)not(?!\s+otherwise)|never|no\s+longer|neither|nor|cannot|isn['’]t|aren['’]t|wasn['’]t|"
    r"formerly|previously|instead\s+of|rather\s+than|unlike|nicht(?!\s+anders)|kein(?:e[rnms]?)?|"
    r"n['’]est\s+pas|não|niet|не)\b|不是|并非|不采用|未采用|不适用|不属于|並非|不採用|未採用)[^.!?。！？]{0,80}$"
    r"|\b(?:no|non)\s+(?:est[áà]|es|è|se)\b[^.!?]{0,80}$",
    re.IGNORECASE,
)
_NOT_AFTER = re.compile(r"^[^。.]{0,30}(?:ではありません|ではない|아닙니다|않습니다)")
_OF_A_PICTURE = re.compile(
    r"\b(?:photo|photograph|image|picture|illustration|foto|bild|imagen?|immagine|icon)s?\b"
    r"|图片|照片|图源|圖片|写真|画像|사진",
    re.IGNORECASE,
)
_END = re.compile(r"[.!?。！？](?=\s|$|[^\x00-\x7f])|[。！？\n]")
_AROUND = 1000  # characters looked at on either side
_CREDIT = 80  # a picture's credit names it as near as this


def ignored_because(node: Any) -> str | None:
    """Why what `node` states is no statement about the page; None when it may be one."""
    if node.closest(_HIDDEN) is not None:
        return "hidden"
    if node.closest(_PICTURE) is not None:
        return "picture"
    if node.closest(_OTHER_WORK) is not None or _in_a_later_article(node) or _other_item(node):
        return "other_work"
    before, after = _sentence(node)
    if _NOT_BEFORE.search(before) or _NOT_AFTER.search(after):
        return "negated"
    return None


def states_it(node: Any) -> str | None:
    """For a bare link: None when it stands where a page says its own licence, else why not.

    That is a footer, or a sentence that is a label or speaks of this work. An article about
    licences links to them as well.
    """
    if reason := ignored_because(node):
        return reason
    before, after = _sentence(node)
    sentence = f"{before}{node.text or ''}{after}"
    if _OF_A_PICTURE.search(before[-_CREDIT:]) and not _SELF.search(before):
        return "picture"
    if node.closest("footer, [class*=footer i]:not(body), [id*=footer i]:not(body)") is not None:
        return None
    told = _LICENCE_WORD.search(sentence) and (_LABEL.search(sentence) or _SELF.search(sentence))
    return None if told else "mentioned"


def place_of(node: Any) -> str:
    """Where in the page: up to four element names, the outermost first."""
    names: list[str] = []
    while node is not None and node.tag not in (None, "html") and len(names) < 4:
        names.append(str(node.tag))
        node = node.parent
    return " > ".join(reversed(names))


def _sentence(node: Any) -> tuple[str, str]:
    """What stands before and after the link, in the same sentence."""
    block = node.parent
    while block is not None and block.tag in _BLOCKS and block.parent is not None:
        block = block.parent
    # Nodes have no identity here: the place of the link is that of its text.
    whole = (block.text if block is not None else None) or ""
    own = node.text or ""
    at = whole.find(own) if own else -1
    if at < 0:
        return whole[:_AROUND], ""
    before, after = whole[max(0, at - _AROUND) : at], whole[at + len(own) :][:_AROUND]
    starts = [found.end() for found in _END.finditer(before)]
    end = _END.search(after)
    return before[starts[-1] if starts else 0 :], after[: end.start()] if end else after


def _in_a_later_article(node: Any) -> bool:
    """In one of several articles, and not the first: a list of other works."""
    article = node.closest("article")
    if article is None:
        return False
    body = article.closest("body")
    articles: Any = body.query_selector_all("article") if body is not None else ()
    return len(articles) > 1 and articles[0] != article


def _other_item(node: Any) -> bool:
    """In a microdata item that is a property of another, or below RDFa's `about`."""
    scope = node.closest("[itemscope]")
    if scope is not None:
        role = (scope.getattr("itemprop") or "").lower()
        kind = (scope.getattr("itemtype") or "").rsplit("/", 1)[-1]
        if kind in PICTURE_TYPES or (role and role not in _MAIN_ITEMS):
            return True
    about = node.closest("[about]")
    return about is not None and (about.getattr("about") or "").strip() not in ("", "#", "./")
