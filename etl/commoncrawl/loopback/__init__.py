"""An archive laid out like Common Crawl's, generated from the sample site, and its server."""

from etl.commoncrawl.loopback.archive import Archive, build_archive
from etl.commoncrawl.loopback.server import Fault, RangeServer, serve_ranges

__all__ = ["Archive", "Fault", "RangeServer", "build_archive", "serve_ranges"]
