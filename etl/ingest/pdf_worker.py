"""The text of one PDF, page by page, in a process of its own that can be killed.

Reads the PDF from standard input and writes JSON lines: `{"pages": N, "title": ...}`, then
`{"text": ...}` for each page; or `{"error": CLASS, "message": ...}`. Run with `python -I`, so that
it imports nothing of this project.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any


def main(arguments: list[str]) -> int:
    memory, seconds, most_pages, most_characters = map(int, arguments)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        _read(sys.stdin.buffer.read(), most_pages, most_characters)
    except MemoryError:
        _say({"error": "too_complex", "message": f"more than {memory} bytes of memory"})
    return 0


def _read(data: bytes, most_pages: int, most_characters: int) -> None:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
        pages = len(document)
    except pypdfium2.PdfiumError as error:
        locked = "password" in str(error).lower() or "security" in str(error).lower()
        _say({"error": "encrypted" if locked else "corrupt_pdf", "message": str(error)})
        return
    if pages > most_pages:
        _say({"error": "too_many_pages", "message": f"{pages} pages, more than {most_pages}"})
        return
    _say({"pages": pages} | _metadata(document))
    left = most_characters
    for number in range(pages):
        text = _page_text(document, number)
        left -= len(text)
        if left < 0:
            _say({"error": "too_large", "message": f"more than {most_characters} characters"})
            return
        _say({"text": text})


def _page_text(document: Any, number: int) -> str:
    import pypdfium2

    try:
        page = document[number]
        text_page = page.get_textpage()
        text: str = text_page.get_text_bounded()
        text_page.close()
        page.close()
    except pypdfium2.PdfiumError:
        return ""  # a page that is broken: the others are read
    return text


def _metadata(document: Any) -> dict[str, str]:
    found = document.get_metadata_dict()
    names = {"Title": "title", "Author": "author", "CreationDate": "date"}
    return {name: str(found.get(key) or "")[:1000] for key, name in names.items()}


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
