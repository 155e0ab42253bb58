"""URLs as identities: canonical form, host key, scope, and addresses that are not public."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

MAX_URL_LENGTH = 2_083
_DEFAULT_PORT = {"http": "80", "https": "443"}
_HOST = re.compile(r"^[a-z][a-z0-9+.-]*://([^/?#]*)", re.IGNORECASE)
_SESSION = re.compile(r";(jsessionid|sid|phpsessid)=[^/;]*", re.IGNORECASE)
HOST_PATTERN = "^[a-z]+://([^/?#]*)"
"""The same rule as `host_of`, for Spark's `regexp_extract` on canonical URLs."""


class UrlRefusedError(ValueError):
    """A URL that is no identity: not http(s), too long, with credentials, or not parsable."""


def canonical_url(url: str, drop_parameters: Iterable[str] = (), encoding: str = "utf-8") -> str:
    """The one spelling of a URL (RFC 3986, 6.2): w3lib's canonical form (sorted query, upper-case
    percent escapes, no fragment), lower-case host, no default port, without tracking parameters
    and without a `;jsessionid=` in the path.

    `drop_parameters` are lower-case names of query parameters, with `*` as a wildcard. Raises
    `UrlRefusedError` with the reason.
    """
    from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

    from w3lib.url import canonicalize_url

    if len(url) > MAX_URL_LENGTH:
        raise UrlRefusedError(f"URL longer than {MAX_URL_LENGTH} characters")
    try:
        parts = urlsplit(canonicalize_url(url.strip(), encoding=encoding))
        host, port = parts.hostname or "", parts.port
    except (ValueError, UnicodeError, LookupError) as error:
        raise UrlRefusedError(f"not a URL: {error}") from None
    if parts.scheme not in _DEFAULT_PORT:
        raise UrlRefusedError(f"scheme {parts.scheme or '(none)'} is not http or https")
    if not host or parts.username is not None:
        raise UrlRefusedError("URL without a host" if not host else "URL with credentials")
    query = parts.query
    patterns = tuple(drop_parameters)
    if query and patterns:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=1_000)
        kept = [(k, v) for k, v in pairs if not any(fnmatchcase(k.lower(), p) for p in patterns)]
        query = query if len(kept) == len(pairs) else urlencode(kept)
    host = f"[{host}]" if ":" in host else host
    netloc = host if port is None or str(port) == _DEFAULT_PORT[parts.scheme] else f"{host}:{port}"
    path = _SESSION.sub("", parts.path) or "/"
    result = urlunsplit((parts.scheme, netloc, path, query, ""))
    if len(result) > MAX_URL_LENGTH or not result.isascii():
        raise UrlRefusedError(f"URL is not ASCII or longer than {MAX_URL_LENGTH} characters")
    return result


def host_of(url: str) -> str:
    """Host and port, as they stand in a canonical URL: the key of politeness and of scope."""
    found = _HOST.match(url)
    return found.group(1).lower() if found else ""


def hostname_of(url: str) -> str:
    """The host without its port or brackets."""
    host = host_of(url)
    if host.startswith("["):
        return host[1:].split("]", 1)[0]
    return host.rsplit(":", 1)[0] if ":" in host else host


def in_scope(url: str, hosts: frozenset[str]) -> bool:
    """Whether the URL's host is one of `hosts`; an entry without a port admits every port."""
    return host_of(url) in hosts or hostname_of(url) in hosts


def is_public(address: str) -> bool:
    """Whether an IP address (text) is globally routable; false for what is no address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return found.is_global and not found.is_multicast and (mapped is None or mapped.is_global)


def is_address(host: str) -> bool:
    """Whether a host name is an IP literal."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
