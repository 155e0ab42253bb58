"""The plan of the site: which pages there are and what they say, before any markup."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from etl.sample_site.model import HOSTS
from etl.sample_site.pii import imitate, invent
from etl.sample_site.prose import Composer, join_sentences, load_bank

Paragraphs = tuple[tuple[str, ...], ...]
Pairs = tuple[tuple[str, str], ...]

WEIGHTS = {
    "eng": 35, "cmn_Hans": 27, "cmn_Hant": 5, "deu": 4, "fra": 4, "spa": 3, "ita": 3, "por": 3,
    "nld": 3, "rus": 4, "pol": 3, "jpn": 3, "kor": 3,
}  # fmt: skip
FORBIDDEN_LICENCE = "CC-BY-NC-ND-4.0"
_LICENCES = {
    "CC-BY-4.0": 30, "CC-BY-SA-4.0": 20, "CC0-1.0": 15, FORBIDDEN_LICENCE: 8, "unknown": 27
}  # fmt: skip
_LEGACY = {
    "cmn_Hans": "gb18030", "cmn_Hant": "big5", "jpn": "shift_jis", "kor": "euc-kr",
    "rus": "windows-1251", "deu": "iso-8859-1", "pol": "iso-8859-2",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One article. `number` names it for ever; `source` is the number of what it copies."""

    number: int
    host: str
    path: str
    language: str
    title: str
    paragraphs: Paragraphs
    quality: str = "good"
    licence: str = "unknown"
    source: int | None = None
    near: bool = False
    template: str | None = None
    pii: Pairs = ()
    hard: Pairs = ()
    markup: str = "clean"
    charset: str = "utf-8"
    noindex: bool = False
    allowed: bool = True
    removed: bool = False
    changed_on: int = 0
    added_on: int = 0

    @property
    def text(self) -> str:
        return "\n".join(join_sentences(self.language, p) for p in self.paragraphs)

    @property
    def plain(self) -> bool:
        """Nothing special about it: a later day may change or remove it."""
        return (
            self.quality == "good" and self.source is None and self.template is None
            and not self.pii and not self.hard and self.markup == "clean" and self.allowed
            and not self.removed and not self.noindex
        )  # fmt: skip


def _pick(rng: Random, weights: dict[str, int]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def _short(language: str) -> str:
    return {"cmn_Hans": "zh", "cmn_Hant": "zh-tw"}.get(language, language)


class Writer:
    """Writes the drafts of day 0. Each page has its own generator, so none disturbs another."""

    def __init__(self, seed: int, size: int) -> None:
        self.seed, self.size = seed, size
        self._number = 0

    def share(self, of_640: int) -> int:
        """A count that is `of_640` on a site of 640 pages; at least one."""
        return max(1, round(of_640 * self.size / 640))

    def rng(self, *parts: object) -> Random:
        return Random(":".join(map(str, (self.seed, *parts))))

    def day_zero(self) -> list[Draft]:
        copies, nears = self.share(30), self.share(48)
        families, thin, spam = self.share(24), self.share(24), self.share(24)
        hidden = self.share(12)
        good = self.size - copies - nears - families - thin - spam - hidden - 18
        drafts = [self.article() for _ in range(good)]
        drafts = self._special(drafts)
        originals = [d for d in drafts if d.plain and len(d.text.encode()) > 1_200]
        chosen = self.rng("originals").sample(originals, min(copies + nears, len(originals)))
        drafts += [self.copy(d, near=False) for d in chosen[:copies]]
        twice = chosen[copies:]
        drafts += [self.copy(d, near=True) for d in (twice + twice[: nears // 4])[:nears]]
        drafts += [self.sheet(i) for i in range(families)]
        drafts += [self.poor("thin") for _ in range(thin)] + [
            self.poor("spam") for _ in range(spam)
        ]
        drafts += [self.hidden(i) for i in range(hidden)]
        return drafts

    def article(self, day: int = 0) -> Draft:
        number = self._next()
        rng = self.rng("article", number)
        return self._write(number, rng, _pick(rng, WEIGHTS), rng.choice(HOSTS), "story", day)

    def _write(
        self, number: int, rng: Random, language: str, host: str, kind: str, day: int
    ) -> Draft:
        composer = Composer(language, rng)
        # Small banks give shorter pages: their pages must stay unlike each other.
        fewest, most = {"eng": (15, 21), "cmn_Hans": (15, 21), "jpn": (7, 9)}.get(language, (9, 12))
        sentences = rng.randint(fewest, most)
        return Draft(
            number=number,
            host=host,
            path=f"/{_short(language)}/{kind}-{number}.html",
            language=language,
            title=composer.title(),
            paragraphs=composer.paragraphs(sentences),
            licence=_pick(rng, _LICENCES),
            changed_on=day,
            added_on=day,
        )

    def change(self, draft: Draft, day: int) -> Draft:
        """The article with one paragraph written anew."""
        rng = self.rng("change", draft.number, day)
        composer = Composer(draft.language, rng)
        where = rng.randrange(len(draft.paragraphs))
        fresh = tuple(composer.sentence() for _ in range(4))
        paragraphs = (*draft.paragraphs[:where], fresh, *draft.paragraphs[where + 1 :])
        return replace(draft, paragraphs=paragraphs, changed_on=day)

    def copy(self, draft: Draft, *, near: bool, day: int = 0) -> Draft:
        """The article again on another host: word for word, or with small edits when `near`."""
        number = self._next()
        rng = self.rng("copy", number)
        kind = "revised" if near else "reprint"
        return replace(
            draft,
            number=number,
            host=rng.choice([host for host in HOSTS if host != draft.host]),
            path=f"/{_short(draft.language)}/{kind}-{number}.html",
            paragraphs=_edited(draft, rng) if near else draft.paragraphs,
            source=draft.number,
            near=near,
            changed_on=day,
            added_on=day,
        )

    def sheet(self, index: int) -> Draft:
        """A page of a family: half boilerplate, half its own. Not a duplicate of its sisters."""
        number = self._next()
        rng = self.rng("sheet", number)
        language = "eng" if index % 2 == 0 else "cmn_Hans"
        composer = Composer(language, rng)
        boilerplate = composer.bank.sections["template"]
        own = composer.paragraphs(4)
        return Draft(
            number=number,
            host=rng.choice(HOSTS),
            path=f"/{_short(language)}/sheet-{number}.html",
            language=language,
            title=composer.title(),
            paragraphs=(tuple(boilerplate[:2]), *own, tuple(boilerplate[2:])),
            licence=_pick(rng, _LICENCES),
            template=f"sheet-{language}",
        )

    def poor(self, quality: str) -> Draft:
        """A page that no corpus should hold: a few words, or the same words over and over."""
        number = self._next()
        rng = self.rng(quality, number)
        language = rng.choice(("eng", "cmn_Hans", "cmn_Hant"))
        bank = load_bank(language)
        lines = bank.sections[quality]
        if quality == "thin":
            paragraphs = tuple((line,) for line in lines[: rng.randrange(1, len(lines) + 1)])
        else:
            chosen = rng.sample(lines, 2)
            paragraphs = tuple((rng.choice(chosen),) for _ in range(rng.randrange(18, 40)))
        return Draft(
            number=number,
            host=rng.choice(HOSTS),
            path=f"/{_short(language)}/{quality}-{number}.html",
            language=language,
            title=lines[0][:40],
            paragraphs=paragraphs,
            quality=quality,
            licence=_pick(rng, _LICENCES),
        )

    def hidden(self, index: int) -> Draft:
        """A good page that robots.txt keeps from us."""
        number = self._next()
        rng = self.rng("hidden", number)
        host, folder = ((HOSTS[0], "private"), (HOSTS[1], "drafts"), (HOSTS[2], "internal"))[
            index % 3
        ]
        draft = self._write(number, rng, _pick(rng, WEIGHTS), host, "story", 0)
        return replace(draft, path=f"/{folder}/{number}.html", allowed=False)

    def _special(self, drafts: list[Draft]) -> list[Draft]:
        """Gives some articles personal data, look-alikes, bad markup or another encoding."""
        rng = self.rng("special")
        order = rng.sample(range(len(drafts)), len(drafts))
        pii, hard = self.share(80), self.share(50)
        broken, legacy, wrong, noindex = (self.share(n) for n in (10, 14, 4, 2))
        result = list(drafts)
        for index in order[:pii]:
            result[index] = _with_pii(result[index], self.rng("pii", index))
        for index in order[pii // 2 : pii // 2 + hard]:
            result[index] = _with_imitations(result[index], self.rng("hard", index))
        rest = iter(order[pii + hard :])
        for index in _take(rest, broken):
            result[index] = replace(result[index], markup="broken")
        for index in _take(rest, noindex):
            result[index] = replace(result[index], noindex=True)
        chinese = (i for i in rest if result[i].language == "cmn_Hans")
        for index in list(_take(chinese, wrong)):
            result[index] = replace(result[index], markup="wrong_charset", charset="gb18030")
        old = (i for i in order[pii + hard :] if result[i].language in _LEGACY and result[i].plain)
        for index in list(_take(old, legacy)):
            charset = _LEGACY[result[index].language]
            result[index] = replace(result[index], markup="legacy_charset", charset=charset)
        return result

    def _next(self) -> int:
        self._number += 1
        return self._number


def _take(items: Iterator[int], count: int) -> Iterator[int]:
    for _, item in zip(range(count), items, strict=False):
        yield item


def _insert(paragraphs: Paragraphs, sentence: str, rng: Random) -> Paragraphs:
    where = rng.randrange(len(paragraphs))
    return tuple((*p, sentence) if i == where else p for i, p in enumerate(paragraphs))


def _with_pii(draft: Draft, rng: Random) -> Draft:
    composer = Composer(draft.language, rng)
    templates = composer.bank.pairs("pii")
    for kind, template in rng.sample(templates, rng.randrange(1, min(3, len(templates)) + 1)):
        entity, value = invent(kind, rng)
        sentence = composer.fill(template, pii=value)
        paragraphs = _insert(draft.paragraphs, sentence, rng)
        draft = replace(draft, paragraphs=paragraphs, pii=(*draft.pii, (entity, value)))
    return draft


def _with_imitations(draft: Draft, rng: Random) -> Draft:
    composer = Composer(draft.language, rng)
    kind, template = rng.choice(composer.bank.pairs("hard"))
    _, value = imitate(kind, rng)
    paragraphs = _insert(draft.paragraphs, composer.fill(template, hard=value), rng)
    return replace(draft, paragraphs=paragraphs, hard=((kind, value),))


def _edited(draft: Draft, rng: Random) -> Paragraphs:
    """One small edit: a sentence more, a sentence less, or two sentences changing places."""
    paragraphs = [list(p) for p in draft.paragraphs]
    match rng.randrange(3):
        case 0:
            used = set().union(*paragraphs)
            composer = Composer(draft.language, rng)
            extra = next(s for s in iter(composer.sentence, "") if s not in used)
            paragraphs[-1].append(extra)
        case 1:
            longest = max(paragraphs, key=len)
            longest.pop()
        case _:
            first = max(paragraphs, key=len)
            first[0], first[1] = first[1], first[0]
    return tuple(tuple(p) for p in paragraphs)
