"""A record of each named corpus in its real layout, generated, and what it is to become."""

from __future__ import annotations

import json
from typing import Any

TEXT = "A sentence that a corpus holds, long enough to be one."

_FINEWEB = {
    "text": TEXT, "id": "<urn:uuid:1>", "dump": "CC-MAIN-2024-10", "url": "https://a.example/1",
    "date": "2024-02-21T12:00:00Z", "file_path": "s3://commoncrawl/a.warc.gz", "language": "en",
    "language_score": 0.98, "token_count": 12,
}  # fmt: skip
_META = {"url": "https://a.example/1", "timestamp": "2023-03-01T00:00:00", "source": "cc/2023-06",
         "language": "de", "title": "T"}  # fmt: skip

# name -> (record, columns expected of it)
RECORDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "fineweb": (
        _FINEWEB,
        {"id": "<urn:uuid:1>", "url": "https://a.example/1", "language": "eng", "token_count": 12,
         "language_score": 0.98, "dump": "CC-MAIN-2024-10", "fetched_at": "2024-02-21 12:00:00"},
    ),
    "fineweb-2": (
        _FINEWEB | {"language": "srp", "language_script": "Cyrl", "minhash_cluster_size": 3,
                    "top_langs": '{"srp_Cyrl_score": 0.9}'},
        {"language": "srp_Cyrl", "minhash_cluster_size": 3, "top_langs": '{"srp_Cyrl_score": 0.9}'},
    ),
    "dolma": (
        {"id": "d1", "text": TEXT, "source": "common-crawl", "added": "2023-04-11T09:57:03.044571",
         "created": "2020-01-17T12:48:23Z, 2020-01-18T12:48:23Z",
         "metadata": {"url": "https://a.example/1", "title": "T", "line_ids": [1, 2]}},
        {"id": "d1", "url": "https://a.example/1", "title": "T", "origin_source": "common-crawl",
         "fetched_at": "2020-01-17 12:48:23", "language": None,
         "metadata": '{"url":"https://a.example/1","title":"T","line_ids":[1,2]}'},
    ),
    "redpajama-v1": (
        {"text": TEXT, "meta": json.dumps(_META), "red_pajama_subset": "common_crawl"},
        {"url": "https://a.example/1", "title": "T", "language": "deu", "subset": "common_crawl",
         "origin_source": "cc/2023-06", "fetched_at": "2023-03-01 00:00:00"},
    ),
    "redpajama-v2": (
        {"url": "https://a.example/1", "date_download": "2023-02-08T05:12:34Z", "digest": "sha1:X",
         "length": 54, "nlines": 1, "source_domain": "a.example", "title": "T", "raw_content": TEXT,
         "cc_segment": "crawl-data/x.gz", "original_nlines": 9, "original_length": 900,
         "line_ids": [3], "language": "fr", "language_score": 0.9, "perplexity": 200.5,
         "bucket": "head"},
        {"url": "https://a.example/1", "title": "T", "language": "fra", "perplexity": 200.5,
         "digest": "sha1:X", "nlines": 1, "fetched_at": "2023-02-08 05:12:34"},
    ),
    "culturax": (
        {"text": TEXT, "timestamp": "2021/12/16 11:37:00", "url": "https://a.example/1",
         "source": "OSCAR-2201"},
        {"language": "vie", "fetched_at": "2021-12-16 11:37:00", "origin_source": "OSCAR-2201"},
    ),
    "c4": (
        {"text": TEXT, "timestamp": "2019-04-25T12:57:54Z", "url": "https://a.example/1"},
        {"language": "deu", "fetched_at": "2019-04-25 12:57:54"},
    ),
    "oscar": (
        {"content": TEXT,
         "warc_headers": {"warc-record-id": "<urn:uuid:7>", "warc-date": "2022-11-26T05:00:30Z",
                          "warc-target-uri": "https://a.example/1", "content-length": 54},
         "metadata": {"identification": {"label": "fr", "prob": 0.93}, "quality_warnings": ["tiny"],
                      "categories": None, "harmful_pp": 7.5, "annotation": None,
                      "sentence_identifications": [{"label": "fr", "prob": 0.9}, None]}},
        {"id": "<urn:uuid:7>", "url": "https://a.example/1", "language": "fra",
         "language_score": 0.93, "quality_warnings": '["tiny"]', "categories": None},
    ),
    "generic": (
        {"text": TEXT, "id": 7, "licence": "CC BY-SA 4.0", "language": "zh-TW", "words": [1]},
        {"id": "7", "licence": "CC-BY-SA-4.0", "language": "cmn_Hant", "fields": '{"words":[1]}'},
    ),
}  # fmt: skip
FILES = {"culturax": "vi/vi_part_00000.parquet", "c4": "multilingual/c4-de.tfrecord-00000.json.gz"}
CARD = """---
license: odc-by
pretty_name: Generated
---
## Citation
```bibtex
@misc{generated2024, title={Generated}}
```
"""
