"""From a URL to the request that is sent: mapped hosts, and a guard on private addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

from scrapy.exceptions import IgnoreRequest
from scrapy.resolver import CachingThreadedResolver

from etl.crawl.config import CrawlConfig
from etl.crawl.urls import host_of, hostname_of, is_address, is_public

if TYPE_CHECKING:
    from scrapy.crawler import Crawler


class PrivateAddressError(IgnoreRequest):
    """A host that is, or resolves to, an address that is not public."""


class Router:
    """Sends a URL to its host, or to where `host_map` says."""

    def __init__(self, config: CrawlConfig) -> None:
        self._map = config.host_map
        self._allow_private = config.allow_private_addresses

    def is_mapped(self, host: str) -> bool:
        return "*" in self._map or host in self._map

    def route(self, url: str) -> tuple[str, dict[str, str]]:
        """The URL to request, and the headers that this needs."""
        host = host_of(url)
        address = self._map.get(host) or self._map.get("*")
        if address is None:
            return url, {}
        parts = urlsplit(url)
        return urlunsplit(("http", address, parts.path, parts.query, "")), {"Host": host}

    def require_public(self, url: str) -> None:
        """Raises `PrivateAddressError` for an IP literal that is not public.

        Names are checked when they are resolved, by `PublicResolver`.
        """
        host = hostname_of(url)
        if self._allow_private or self.is_mapped(host_of(url)):
            return
        if host == "localhost" or (is_address(host) and not is_public(host)):
            raise PrivateAddressError(f"{host} is no public address; set allow_private_addresses")


class PublicResolver(CachingThreadedResolver):
    """Resolves names, and refuses those that lead to an address that is not public.

    The check is on the very address that is connected to, so that a name cannot change between
    check and use (DNS rebinding).
    """

    allow: frozenset[str] | None = frozenset()  # names of mapped addresses; None: every name
    refused: ClassVar[dict[str, str]] = {}
    """Name -> address of each refusal: Twisted reports them as names that do not resolve."""

    @classmethod
    def from_crawler(cls, crawler: Crawler, reactor: Any) -> PublicResolver:
        resolver = super().from_crawler(crawler, reactor)
        config: CrawlConfig = crawler.settings["FOUNDRY_CONFIG"]
        mapped = frozenset(address.rsplit(":", 1)[0] for address in config.host_map.values())
        resolver.allow = None if config.allow_private_addresses else mapped
        return resolver

    def getHostByName(self, name: str, timeout: Any = ()) -> Any:
        found = super().getHostByName(name, timeout)
        if self.allow is None or name in self.allow:
            return found

        def check(address: str) -> str:
            if not is_public(address):
                self.refused[name] = address
                raise PrivateAddressError(f"{name} resolves to {address}, which is not public")
            return address

        return found.addCallback(check)
