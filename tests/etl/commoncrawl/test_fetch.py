"""A share fetched from a server that misbehaves, is killed, and goes on."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from warcio.archiveiterator import ArchiveIterator

from etl.commoncrawl.config import RangeConfig
from etl.commoncrawl.fetch import ShareFetch, ShareOrder
from etl.commoncrawl.job import fetch_share
from etl.commoncrawl.loopback import Archive, Fault, RangeServer
from etl.commoncrawl.loopback.server import Hit
from etl.commoncrawl.reader import open_reader
from schemas.errors import StepError

Row = dict[str, Any]
Share = Callable[..., ShareOrder]


def records(order: ShareOrder) -> list[Row]:
    rows: list[Row] = pq.read_table(Path(order.out, "_records")).to_pylist()
    return rows


def ours(order: ShareOrder, row: Row) -> bytes:
    with Path(order.out, "warc", row["warc_file"]).open("rb") as file:
        file.seek(row["warc_offset"])
        return file.read(row["warc_length"])


def tree(order: ShareOrder) -> dict[str, bytes]:
    """What a run leaves, but for its own bookkeeping."""
    files = [path for name in ("warc", "_records") for path in Path(order.out, name).iterdir()]
    return {path.name: path.read_bytes() for path in files}


def assert_valid(order: ShareOrder, count: int) -> None:
    """warcio, which shares no code with ours, reads every record and finds its digests right."""
    read = 0
    for path in Path(order.out, "warc").iterdir():
        with path.open("rb") as file:
            iterator = ArchiveIterator(file, check_digests="raise")
            for record in iterator:
                record.content_stream().read()
                read += record.rec_type == "response"
    assert read == count


def test_a_thousand_records_byte_for_byte(
    archive: Archive, server: RangeServer, share: Share, config: RangeConfig, pages: list[Row]
) -> None:
    order = share(pages[:1_000], config, warc_bytes=500_000)
    counts = fetch_share(order)
    assert (counts["kept"], counts["quarantined"], counts["requests"]) == (1_000, 0, 1_000)
    assert len(server.hits) == 1_000
    for row, original in zip(records(order), pages, strict=False):
        assert ours(order, row) == archive.original(original)
        assert row["url"] == original["url"]
    assert len(list(Path(order.out, "warc").iterdir())) > 2
    assert_valid(order, 1_000)
    assert fetch_share(order) == counts | {"requests": 0}
    assert len(server.hits) == 1_000


def test_near_ranges_become_one_request(
    archive: Archive, server: RangeServer, share: Share, config: RangeConfig, pages: list[Row]
) -> None:
    order = share(pages[:300], config, gap_bytes=4_096, request_bytes=50_000)
    assert fetch_share(order)["kept"] == 300
    assert len(server.hits) < 60
    assert all(hit.length <= 50_000 for hit in server.hits)
    for row, original in zip(records(order), pages, strict=False):
        assert ours(order, row) == archive.original(original)


def test_what_passes_leaves_no_trace(
    server: RangeServer, share: Share, config: RangeConfig, pages: list[Row]
) -> None:
    passing = [Fault.ERROR, Fault.SLOW_DOWN, Fault.TRUNCATED]
    order = share(pages[:60], config)
    fetch_share(order)
    calm = tree(order)
    for path in [*Path(order.out).glob("*/*.parquet"), *Path(order.out).glob("_work/0*")]:
        path.unlink()
    for path in Path(order.out, "warc").iterdir():
        path.unlink()
    server.seen.clear()
    server.hits.clear()
    server.fault = lambda hit: passing[hit.offset % 3] if hit.nth <= 2 else Fault.NONE
    counts = fetch_share(order)
    assert counts["requests"] == len(server.hits) == 180
    assert tree(order) == calm


def test_what_stays_bad_is_quarantined_with_its_reason(
    archive: Archive, server: RangeServer, share: Share, config: RangeConfig, pages: list[Row]
) -> None:
    faults = [
        Fault.MISSING, Fault.FORBIDDEN, Fault.DAMAGED, Fault.SHORT, Fault.WRONG_RANGE, Fault.LONG,
        Fault.ENCODED, Fault.REDIRECT, Fault.ERROR, Fault.TRUNCATED,
    ]  # fmt: skip
    chosen = pages[:100]
    bad = {
        (row["warc_filename"], row["warc_record_offset"]): faults[n // 10]
        for n, row in enumerate(chosen)
        if n % 10 == 9
    }
    server.fault = lambda hit: bad.get((hit.path, hit.offset), Fault.NONE)
    order = share(chosen, config, retries=1, request_bytes=4_000_000, gap_bytes=0, concurrency=4)
    counts = fetch_share(order)
    assert (counts["kept"], counts["quarantined"]) == (90, 10)
    rows = records(order)
    failed = [row for row in rows if row["verdict"] == "quarantined"]
    assert [row["error_class"] for row in failed][:2] == ["http_404", "http_403"]
    assert failed[2]["error_class"] in ("corrupt_gzip", "wrong_digest", "wrong_length")
    assert [row["error_class"] for row in failed][3:] == [
        "wrong_range", "wrong_range", "wrong_length", "encoded", "http_302", "http_500",
        "truncated_body",
    ]  # fmt: skip
    assert all(row["message"] for row in failed)
    for row, original in zip(rows, chosen, strict=True):
        if row["verdict"] == "kept":
            assert ours(order, row) == archive.original(original)
    assert_valid(order, 90)


def test_one_bad_range_does_not_cost_its_neighbours(
    server: RangeServer, share: Share, config: RangeConfig, pages: list[Row], archive: Archive
) -> None:
    chosen = [dict(row) for row in pages[:5]]
    size = (archive.root / chosen[4]["warc_filename"]).stat().st_size
    chosen[4]["warc_record_length"] = size - chosen[4]["warc_record_offset"] + 1
    order = share(chosen, config, gap_bytes=10_000, request_bytes=10**9)
    counts = fetch_share(order)
    assert (counts["kept"], counts["quarantined"]) == (4, 1)
    assert records(order)[4]["error_class"] == "wrong_range"


def test_too_large_a_record_is_rejected_unfetched(
    server: RangeServer, share: Share, config: RangeConfig, pages: list[Row]
) -> None:
    order = share([pages[0], pages[1] | {"warc_record_length": 5_000_001}], config)
    counts = fetch_share(order)
    assert (counts["kept"], counts["rejected"], len(server.hits)) == (1, 1, 1)
    assert records(order)[1]["rule"] == "commoncrawl.too_large"


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.FORBIDDEN, Fault.SLOW_DOWN])
def test_a_server_that_is_down_stops_the_share_and_loses_nothing(
    server: RangeServer, share: Share, config: RangeConfig, pages: list[Row], fault: Fault
) -> None:
    after = 40
    server.fault = lambda hit: fault if len(server.hits) > after else Fault.NONE
    order = share(pages[:100], config, retries=0, max_failures=5, concurrency=2)
    with pytest.raises(StepError, match="in a row failed"):
        fetch_share(order)
    assert len(server.hits) < after + 10  # it stopped soon
    first = Counter((hit.path, hit.offset) for hit in server.hits[:after])
    server.fault = lambda hit: Fault.NONE
    server.hits.clear()
    assert fetch_share(order)["kept"] == 100
    assert not first & Counter((hit.path, hit.offset) for hit in server.hits)


def test_a_wrong_base_address_quarantines_nothing(
    server: RangeServer, share: Share, config: RangeConfig, pages: list[Row]
) -> None:
    elsewhere = dataclasses.replace(config, base_url=server.url + "nowhere/")
    order = share(pages[:100], elsewhere, max_failures=5, concurrency=1)
    with pytest.raises(StepError, match="404"):
        fetch_share(order)
    assert len(server.hits) == 5


def test_requests_in_flight_are_bounded(
    server: RangeServer, share: Share, config: RangeConfig, pages: list[Row]
) -> None:
    flying, most = 0, 0

    def count(hit: Hit) -> Fault:
        nonlocal most
        most = max(most, flying)
        return Fault.SLOW

    class Counted:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        async def read(self, *args: Any, **named: Any) -> Any:
            nonlocal flying
            flying += 1
            try:
                return await self.inner.read(*args, **named)
            finally:
                flying -= 1

    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def counted(config: RangeConfig) -> Any:
        async with open_reader(config) as reader:
            yield Counted(reader)

    server.fault = count
    order = share(pages[:60], config, concurrency=6)
    fetch_share(order, counted)
    assert most == 6


_CHILD = """
import json, sys
from etl.commoncrawl.config import RangeConfig
from etl.commoncrawl.fetch import ShareOrder
from etl.commoncrawl.job import fetch_share
order = json.loads(sys.argv[1])
fetch_share(ShareOrder(**order | {"config": RangeConfig(**order["config"])}))
"""


def _start(order: ShareOrder) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    stated = json.dumps(dataclasses.asdict(order))
    return subprocess.Popen([sys.executable, "-c", _CHILD, stated], env=environment)


def test_killed_again_and_again_it_fetches_no_record_twice(
    server: RangeServer, share: Share, config: RangeConfig, pages: list[Row]
) -> None:
    server.fault = lambda hit: Fault.SLOW
    order = share(pages[:300], config, concurrency=4, warc_bytes=300_000)
    rows = list(order.rows())
    kept: set[tuple[str, int]] = set()
    for _ in range(3):
        server.hits.clear()
        with _start(order) as child:
            until = time.monotonic() + 60
            while len(server.hits) < 70 and time.monotonic() < until:
                time.sleep(0.01)
            os.kill(child.pid, signal.SIGKILL)
        asked = {(hit.path, hit.offset) for hit in server.hits}
        assert not asked & kept
        numbers = [json.loads(line)["record"] for line in order.journal.read_text().splitlines()]
        kept = {(rows[number].path, rows[number].offset) for number in numbers}
        assert len(asked - kept) <= 4  # what was in flight; the rest is here
    assert len(kept) > 150
    server.hits.clear()
    assert fetch_share(order)["kept"] == 300
    assert len(server.hits) == 300 - len(kept)
    resumed = tree(order)
    assert_valid(order, 300)

    other = dataclasses.replace(order, out=order.out + "-2")
    other.plan.parent.mkdir(parents=True)
    other.plan.symlink_to(order.plan)
    fetch_share(other)
    assert tree(other) == resumed


def test_bytes_that_a_loss_of_power_took_are_fetched_again(
    server: RangeServer, share: Share, config: RangeConfig, pages: list[Row]
) -> None:
    order = share(pages[:50], config, max_failures=1, retries=0, concurrency=1)
    server.fault = lambda hit: Fault.ERROR if len(server.hits) > 30 else Fault.NONE
    with pytest.raises(StepError):
        fetch_share(order)
    part = order.part(0)
    data = bytearray(part.read_bytes())
    row = list(order.rows())[20]
    data[row.at : row.end - row.offset + row.at] = bytes(row.length)
    part.write_bytes(data)
    server.fault = lambda hit: Fault.NONE
    server.hits.clear()
    assert fetch_share(order)["kept"] == 50
    assert len(server.hits) == 50 - 30 + 1
    assert_valid(order, 50)


@pytest.mark.parametrize("whole", [True, False])
def test_killed_while_it_is_made_whole(
    server: RangeServer, share: Share, config: RangeConfig, pages: list[Row], whole: bool
) -> None:
    """The first of two files has its name already, the second and the table are missing."""
    missing = pages[3]["warc_record_offset"]
    if not whole:
        server.fault = lambda hit: Fault.MISSING if hit.offset == missing else Fault.NONE
    order = share(pages[:60], config, warc_bytes=60_000, concurrency=1)
    fetch_share(order)
    expected = tree(order)
    state = asyncio.run(ShareFetch(order).run(open_reader))
    assert state.ended
    names = sorted(path.name for path in Path(order.out, "warc").iterdir())
    assert len(names) > 1
    Path(order.out, "warc", names[1]).rename(order.part(1))
    order.work.joinpath("00000.done").unlink()
    Path(order.out, "_records", "00000.parquet").unlink()
    hits = len(server.hits)
    fetch_share(order)
    assert len(server.hits) == hits
    assert tree(order) == expected
