"""A bucket on a real S3 server, seen through a proxy that logs and, when told to, breaks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from etl.storage.client import s3_client
from etl.storage.config import S3Config
from etl.storage.location import Location
from tests.s3_server import Proxy, faulty_proxy, settings

_NAMES = itertools.count()


@dataclass(frozen=True)
class Bucket:
    place: Location
    config: S3Config  # through the proxy
    proxy: Proxy
    client: Any  # past the proxy

    def body(self, key: str) -> bytes:
        answer = self.client.get_object(Bucket=self.place.bucket, Key=key)
        return bytes(answer["Body"].read())


@pytest.fixture
def bucket(s3_url: str) -> Iterator[Bucket]:
    client = s3_client(settings(s3_url))
    place = Location(f"storage-{next(_NAMES)}", "")
    client.create_bucket(Bucket=place.bucket)
    with faulty_proxy(s3_url) as proxy:
        yield Bucket(place, settings(proxy.url), proxy, client)
