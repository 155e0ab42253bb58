"""Licences that a publisher states for all that it hosts, by site and by date.

A dump does not carry them: each rule names the page where the publisher says so.
"""

from __future__ import annotations

from etl.licence.evidence import Evidence, Licence, resolve

_WIKIMEDIA = "foundation.wikimedia.org/wiki/Policy:Terms_of_Use, section 7"
# Text of these projects is offered under CC BY-SA 4.0 (and, older text, under the GFDL as well).
_SHARE_ALIKE = (
    "wikipedia.org", "wiktionary.org", "wikibooks.org", "wikiquote.org", "wikisource.org",
    "wikiversity.org", "wikivoyage.org", "species.wikimedia.org", "meta.wikimedia.org",
    "incubator.wikimedia.org",
)  # fmt: skip
_STACK = "stackoverflow.com/help/licensing"
# The first day of each version, by the day on which a post was made.
_STACK_VERSIONS = (("2018-05-02", "4.0"), ("2011-04-08", "3.0"), ("", "2.5"))


def wikimedia_licence(host: str) -> Licence | None:
    """The licence of the text of a Wikimedia project, or None where no rule is known."""
    name = host.lower().rstrip(".")
    if not any(name == site or name.endswith(f".{site}") for site in _SHARE_ALIKE):
        return None
    return resolve([Evidence("site", "CC-BY-SA-4.0", _WIKIMEDIA, f"siteinfo base of {name}")])


def stackexchange_licence(stated: str, created: str) -> Licence:
    """A post's licence: its `ContentLicense` (`CC BY-SA 4.0`), else by its ISO creation date."""
    from etl.licence.spdx import spdx_from_text

    if spdx := spdx_from_text(stated):
        return resolve([Evidence("field", spdx, stated, "attribute ContentLicense")])
    if not _is_date(created):
        return resolve([])
    version = next(version for first, version in _STACK_VERSIONS if created[:10] >= first)
    text = f"{_STACK}: posts of {created[:10]} are under CC BY-SA {version}"
    return resolve([Evidence("site", f"CC-BY-SA-{version}", text, "attribute CreationDate")])


def _is_date(text: str) -> bool:
    from datetime import date

    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True
