"""Polite incremental crawling into WARC/1.1, the fetch log and the frontier.

`snapshot.crawl_snapshot` runs Scrapy in a process of its own (`worker`), which writes a WARC and a
journal; the tables are committed from the journal. Nothing is imported here: that process would
pay for it at each start.
"""
