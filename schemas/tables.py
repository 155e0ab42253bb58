"""The tables of the graph. Each step's output is one of these; nothing else is written as Delta."""

from __future__ import annotations

import pyarrow as pa

from schemas.identity import ID_PATTERN, LANGUAGE_PATTERN, SHA256_PATTERN
from schemas.spec import Column, TableSpec

STRING, BINARY = pa.string(), pa.binary()
INT, LONG, DOUBLE = pa.int32(), pa.int64(), pa.float64()
TIMESTAMP = pa.timestamp("us", tz="UTC")
SCORES = pa.list_(pa.struct([pa.field("rule", STRING), pa.field("score", DOUBLE)]))
REASONS = pa.list_(
    pa.struct([pa.field("rule", STRING), pa.field("score", DOUBLE), pa.field("threshold", DOUBLE)])
)
EVIDENCES = pa.list_(
    pa.struct(
        [
            pa.field("kind", STRING),  # rel_license, schema_org, dublin_core, field...
            pa.field("licence", STRING),
            pa.field("text", STRING),
            pa.field("place", STRING),
            pa.field("ignored", STRING),  # why it is no statement about this work; null: it counts
        ]
    )
)

FETCH_VERDICTS = (
    "fetched",  # new or changed bytes, written to a WARC
    "not_modified",  # 304, or the same bytes again: nothing new to process
    "redirected",  # 3xx; the target has a row of its own
    "gone",  # 404 or 410
    "denied_robots",  # robots.txt disallows it: never requested
    "http_error",  # any other status
    "too_large",  # over the size limit; cut off
    "timeout",
    "network_error",
    "refused",  # a private address, a scheme or a content type that the profile refuses
    "opted_out",  # the page or its host reserves it from use as training data
    "sitemap",  # a list of URLs, read and not archived
)

# Nothing is served at the URI any more, or not for us: its document is dropped.
LEFT = ("gone", "redirected", "opted_out")


def _uri_id(comment: str = "Identity of the URI over time: hash(source, canonical URI)") -> Column:
    return Column(name="uri_id", type=STRING, pattern=ID_PATTERN, comment=comment)


def _doc_id(comment: str = "Identity of this version: hash(uri_id, content_sha256)") -> Column:
    return Column(name="doc_id", type=STRING, pattern=ID_PATTERN, comment=comment)


SNAPSHOT = Column(
    name="snapshot", type=STRING, pattern="[0-9A-Za-z._-]+", comment="Crawl snapshot (partition)"
)
SOURCE = Column(name="source", type=STRING, comment="Name of the declared source")
URL = Column(name="url", type=STRING, comment="Canonical URL")
HOST = Column(name="host", type=STRING, comment="Host and port of the URL")
ETAG = Column(name="etag", type=STRING, nullable=True, comment="ETag response header")
LAST_MODIFIED = Column(
    name="last_modified", type=STRING, nullable=True, comment="Last-Modified response header"
)
CODE_VERSION = Column(name="code_version", type=STRING, comment="Version of the code that wrote it")
CONFIG_HASH = Column(
    name="config_hash", type=STRING, comment="Hash of the configuration of the stage that wrote it"
)
WARC = (
    Column(
        name="warc_file",
        type=STRING,
        nullable=True,
        volatile=True,
        comment="WARC file, relative to the store",
    ),
    Column(
        name="warc_offset",
        type=LONG,
        nullable=True,
        volatile=True,
        minimum=0,
        unit="bytes",
        comment="Start of the response record in the WARC file",
    ),
    Column(
        name="warc_length",
        type=LONG,
        nullable=True,
        volatile=True,
        minimum=1,
        unit="bytes",
        comment="Compressed length of the record",
    ),
)
ORIGIN = Column(
    name="origin",
    type=STRING,
    nullable=True,
    volatile=True,
    comment="Where a corpus or an archive holds the record: FILE@OFFSET+LENGTH; null: crawled here",
)
HTTP_STATUS = Column(
    name="http_status", type=INT, nullable=True, minimum=100, maximum=599, comment="HTTP status"
)

OPT_OUTS = Column(
    name="opt_outs",
    type=pa.list_(pa.string()),
    nullable=True,
    comment="Reservations found: noai, noimageai, noarchive, noindex, tdm-reservation",
)

FRONTIER = TableSpec(
    name="frontier",
    comment="Every URL ever seen and what is known of it: the state a crawl starts from.",
    key=("uri_id",),
    columns=(
        _uri_id(),
        URL,
        HOST,
        SOURCE,
        Column(
            name="state",
            type=STRING,
            allowed=("queued", *FETCH_VERDICTS),
            comment="Verdict of the last visit, or queued",
        ),
        Column(name="depth", type=INT, minimum=0, unit="links", comment="Distance from a seed"),
        ETAG,
        LAST_MODIFIED,
        Column(
            name="content_sha256",
            type=STRING,
            nullable=True,
            pattern=SHA256_PATTERN,
            comment="SHA-256 of the last body",
        ),
        HTTP_STATUS,
        Column(name="first_seen", type=STRING, comment="Snapshot in which the URL was found"),
        Column(
            name="last_visit", type=STRING, nullable=True, comment="Snapshot of the last request"
        ),
        Column(
            name="last_change",
            type=STRING,
            nullable=True,
            comment="Snapshot in which the body last changed",
        ),
        Column(name="failures", type=INT, minimum=0, comment="Failed visits in a row"),
        Column(
            name="visits",
            type=INT,
            minimum=0,
            comment="Visits that brought a body or a 304",
        ),
        Column(name="changes", type=INT, minimum=0, comment="Those that found another body"),
        Column(
            name="priority",
            type=DOUBLE,
            minimum=0,
            maximum=1,
            comment="The chance that a visit brings news: what comes first where a budget cuts",
        ),
        Column(
            name="next_visit",
            type=STRING,
            nullable=True,
            comment="Date from which the URL is due again; null: in every snapshot",
        ),
    ),
)

FETCHES = TableSpec(
    name="fetches",
    comment="The fetch log: one row for each URL decided in a snapshot, fetched or not.",
    key=("snapshot", "uri_id"),
    partition_by=("snapshot",),
    columns=(
        SNAPSHOT,
        _uri_id(),
        URL,
        HOST,
        SOURCE,
        Column(name="verdict", type=STRING, allowed=FETCH_VERDICTS, comment="How the visit ended"),
        HTTP_STATUS,
        Column(name="bytes", type=LONG, minimum=0, unit="bytes", comment="Body bytes downloaded"),
        Column(name="content_type", type=STRING, nullable=True, comment="Content-Type header"),
        Column(
            name="content_sha256",
            type=STRING,
            nullable=True,
            pattern=SHA256_PATTERN,
            comment="SHA-256 of the body",
        ),
        ETAG,
        LAST_MODIFIED,
        Column(name="redirect_to", type=STRING, nullable=True, comment="Target of a redirect"),
        Column(
            name="canonical",
            type=STRING,
            nullable=True,
            comment="Target of rel=canonical",
        ),
        OPT_OUTS,
        *WARC,
        Column(name="message", type=STRING, nullable=True, comment="Why it ended that way"),
        Column(name="fetched_at", type=TIMESTAMP, volatile=True, comment="When it was decided"),
    ),
)

LANGUAGE = Column(
    name="language",
    type=STRING,
    pattern=LANGUAGE_PATTERN,
    comment="ISO 639-3, with the script where one language has several (cmn_Hans); und if unknown",
)
LICENCE = Column(name="licence", type=STRING, comment="SPDX id, a LicenseRef-, or unknown")
TEXT = Column(name="text", type=STRING, comment="Main text, UTF-8, NFC")

DOCUMENT_COLUMNS = (
    SNAPSHOT,
    _doc_id(),
    _uri_id(),
    SOURCE,
    URL,
    Column(name="title", type=STRING, nullable=True, comment="Title of the page"),
    TEXT,
    LANGUAGE,
    Column(
        name="language_score",
        type=DOUBLE,
        minimum=0,
        maximum=1,
        comment="Confidence of the language",
    ),
    LICENCE,
    Column(
        name="licence_evidence",
        type=STRING,
        nullable=True,
        comment="What on the page says so: the link or the markup",
    ),
    Column(
        name="content_sha256", type=STRING, pattern=SHA256_PATTERN, comment="SHA-256 of raw bytes"
    ),
    Column(name="text_sha256", type=STRING, pattern=SHA256_PATTERN, comment="SHA-256 of the text"),
    *WARC,
    ORIGIN,
    Column(name="fetched_at", type=TIMESTAMP, volatile=True, comment="When the bytes were fetched"),
    CODE_VERSION,
    CONFIG_HASH,
)
SCORES_COLUMN = Column(
    name="scores", type=SCORES, comment="Every score that a rule computed, also where it passed"
)

DOCUMENTS = TableSpec(
    name="documents",
    comment="One row for each document version: main text, title, language, licence, provenance.",
    key=("snapshot", "doc_id"),
    partition_by=("snapshot",),
    columns=(
        *DOCUMENT_COLUMNS,
        Column(
            name="licence_statements",
            type=EVIDENCES,
            nullable=True,
            comment="All that was found about the licence, also what does not count, and why",
        ),
    ),
)

VERDICTS = ("allow", "deny", "review")
STRINGS = pa.list_(STRING)

LEDGER = TableSpec(
    name="ledger",
    comment="Licence and policy of each document version: evidence, opt-outs, decision, rule.",
    key=("snapshot", "doc_id"),
    partition_by=("snapshot",),
    columns=(
        SNAPSHOT,
        _doc_id(),
        _uri_id(),
        SOURCE,
        URL,
        LICENCE,
        Column(name="evidence", type=EVIDENCES, comment="Each piece of evidence of the licence"),
        Column(
            name="robots",
            type=STRING,
            allowed=("allowed", "disallowed", "not_crawled"),
            comment="What robots.txt said when the URI was last visited",
        ),
        Column(name="opt_outs", type=STRINGS, comment="Reservations of the page or its host"),
        Column(name="use", type=STRING, comment="What the document is to be used for"),
        Column(name="decision", type=STRING, allowed=VERDICTS, comment="Whether it may be used"),
        Column(name="rule", type=STRING, comment="Stable id of the rule that decided"),
        Column(name="conditions", type=STRINGS, comment="What its use asks for: attribution..."),
        Column(name="matrix_version", type=STRING, comment="Licence matrix that decided"),
        Column(name="policy_hash", type=STRING, comment="Hash of the matrix and of its settings"),
        Column(
            name="changed_in",
            type=STRING,
            comment="Snapshot whose run came to this decision; later than `snapshot` if it changed",
        ),
        Column(
            name="previous_decision",
            type=STRING,
            nullable=True,
            allowed=VERDICTS,
            comment="Decision before the last change",
        ),
        Column(name="previous_rule", type=STRING, nullable=True, comment="Its rule"),
        Column(
            name="previous_matrix_version", type=STRING, nullable=True, comment="Its licence matrix"
        ),
        Column(
            name="previous_policy_hash", type=STRING, nullable=True, comment="Its policy's hash"
        ),
        Column(name="decided_at", type=TIMESTAMP, volatile=True, comment="When it was written"),
    ),
    constraints={"changed_in_or_after": "changed_in >= snapshot"},
)

POLICIES = TableSpec(
    name="policies",
    comment="The licence policy under which each snapshot's run decided.",
    key=("snapshot",),
    partition_by=("snapshot",),
    columns=(
        Column(name="snapshot", type=STRING, comment="Crawl snapshot"),
        Column(name="matrix_version", type=STRING, comment="Version of the licence matrix"),
        Column(name="policy_hash", type=STRING, comment="Hash of the matrix and of its settings"),
        Column(name="use", type=STRING, comment="What documents are to be used for"),
    ),
)

FILTERED = TableSpec(
    name="filtered",
    comment="Documents that passed the licence and quality rules, with every score.",
    key=("snapshot", "doc_id"),
    partition_by=("snapshot",),
    columns=(*DOCUMENT_COLUMNS, SCORES_COLUMN),
)

STEPS = ("extract", "filter", "dedup", "scrub")
STEP = Column(name="step", type=STRING, allowed=STEPS, comment="Step that decided")

REJECTED = TableSpec(
    name="rejected",
    comment="Documents that a rule dropped, one row each: the first rule, and all that failed.",
    key=("step", "snapshot", "doc_id"),
    partition_by=("step", "snapshot"),
    columns=(
        STEP,
        SNAPSHOT,
        _doc_id(),
        _uri_id(),
        URL,
        LANGUAGE,
        LICENCE,
        Column(name="rule", type=STRING, comment="Stable id of the first rule that failed"),
        Column(name="score", type=DOUBLE, nullable=True, comment="What the rule measured"),
        Column(name="threshold", type=DOUBLE, nullable=True, comment="What it was held against"),
        Column(name="reasons", type=REASONS, comment="Every rule that failed"),
        SCORES_COLUMN,
        CONFIG_HASH,
    ),
)

QUARANTINE = TableSpec(
    name="quarantine",
    comment="Input that a step could not process: what went wrong and where the bytes are.",
    key=("step", "snapshot", "item_id"),
    partition_by=("step", "snapshot"),
    columns=(
        STEP,
        SNAPSHOT,
        Column(name="item_id", type=STRING, comment="Id of the row, or of the place in the file"),
        Column(name="error_class", type=STRING, comment="Stable class of the error"),
        Column(name="message", type=STRING, comment="What went wrong"),
        Column(name="pointer", type=STRING, comment="Where the bytes are: FILE@OFFSET+LENGTH"),
    ),
)

SIGNATURES = TableSpec(
    name="signatures",
    comment="MinHash signatures, kept so that a later snapshot costs only what is new.",
    key=("snapshot", "doc_id"),
    partition_by=("snapshot",),
    columns=(
        SNAPSHOT,
        _doc_id(),
        _uri_id(),
        Column(name="text_sha256", type=STRING, pattern=SHA256_PATTERN, comment="Of the text"),
        Column(
            name="exact", type=BINARY, comment="First 16 bytes of the normalised text's SHA-256"
        ),
        Column(
            name="signature",
            type=BINARY,
            comment="Minima, little-endian uint32 each; empty for a text without a word",
        ),
        Column(name="quality", type=DOUBLE, comment="Value by which a survivor is chosen"),
        CONFIG_HASH,
    ),
)

CLUSTERS = TableSpec(
    name="clusters",
    comment="Clusters of duplicates found in a snapshot: every member, with its survivor.",
    key=("snapshot", "doc_id"),
    partition_by=("snapshot",),
    columns=(
        SNAPSHOT,
        _doc_id(),
        Column(name="cluster_id", type=STRING, pattern=ID_PATTERN, comment="Smallest doc_id in it"),
        Column(name="survivor", type=STRING, pattern=ID_PATTERN, comment="doc_id that is kept"),
        Column(
            name="similarity",
            type=DOUBLE,
            minimum=0,
            maximum=1,
            comment="Similarity to the survivor (1 for the survivor and for exact copies)",
        ),
        Column(name="method", type=STRING, allowed=("exact", "near"), comment="How it was found"),
    ),
)

DEDUPLICATED = TableSpec(
    name="deduplicated",
    comment="Documents without exact and near duplicates, within and across snapshots.",
    key=("snapshot", "doc_id"),
    partition_by=("snapshot",),
    columns=FILTERED.columns,
)

FINDINGS = TableSpec(
    name="findings",
    comment="Personal data that was masked: where and of what kind, never the value.",
    key=("snapshot", "doc_id", "start", "entity"),
    partition_by=("snapshot",),
    columns=(
        SNAPSHOT,
        _doc_id(),
        Column(name="entity", type=STRING, comment="Kind of personal data"),
        Column(name="start", type=INT, minimum=0, unit="characters", comment="Start in the text"),
        Column(name="end", type=INT, minimum=0, unit="characters", comment="End, exclusive"),
        Column(name="score", type=DOUBLE, minimum=0, maximum=1, comment="Confidence"),
    ),
    constraints={"span_not_empty": "`end` > start"},
)

CORPUS = TableSpec(
    name="corpus",
    comment="The corpus as it stands: the current, clean, unique version of each document.",
    key=("uri_id",),
    columns=(
        *DOCUMENT_COLUMNS,
        Column(name="pii_masked", type=INT, minimum=0, comment="Pieces of personal data masked"),
    ),
)

MEDIA_VERDICTS = ("kept", "rejected", "quarantined")
MEDIA_ROLES = ("video", "audio", "muxed", "thumbnail", "info", "description")
SUBTITLE_KINDS = ("own", "automatic")
MEDIA_FORMATS = pa.list_(
    pa.struct(
        [
            pa.field("format_id", STRING),
            pa.field("extension", STRING),
            pa.field("width", INT),
            pa.field("height", INT),
            pa.field("fps", DOUBLE),
            pa.field("video_codec", STRING),
            pa.field("audio_codec", STRING),
        ]
    )
)
MEDIA_FILES = pa.list_(
    pa.struct(
        [
            pa.field("role", STRING),  # one of MEDIA_ROLES
            pa.field("path", STRING),  # relative to the media root
            pa.field("format_id", STRING),
            pa.field("bytes", LONG),
            pa.field("sha256", STRING),
        ]
    )
)
SUBTITLES = pa.list_(
    pa.struct(
        [
            pa.field("language", STRING),  # as the platform names it (BCP 47)
            pa.field("kind", STRING),  # one of SUBTITLE_KINDS
            pa.field("format", STRING),
            pa.field("path", STRING),
            pa.field("bytes", LONG),
            pa.field("sha256", STRING),
        ]
    )
)


def _said(name: str, comment: str, dtype: pa.DataType = STRING, unit: str = "") -> Column:
    minimum = None if dtype == STRING else 0
    return Column(name=name, type=dtype, nullable=True, comment=comment, unit=unit, minimum=minimum)


MEDIA = TableSpec(
    name="media",
    comment="Video and audio from platforms and pages: one row for each item, taken or not.",
    key=("uri_id",),
    columns=(
        _uri_id(),
        SOURCE,
        URL,
        HOST,
        Column(name="verdict", type=STRING, allowed=MEDIA_VERDICTS, comment="Where the item ended"),
        _said("rule", "Rejected: stable id of the rule"),
        _said("error_class", "Quarantined: stable class of the error"),
        _said("message", "Why it ended that way, or what was left out"),
        Column(
            name="robots",
            type=STRING,
            allowed=("allowed", "denied", "not_asked"),
            comment="What robots.txt said of the requests at fetch time",
        ),
        OPT_OUTS,
        _said("listed_in", "Channel or playlist that the item was found in"),
        _said("platform", "yt-dlp extractor"),
        _said("page_url", "Page of the item, as the platform names it"),
        _said("title", "Title"),
        _said("description", "Description by the uploader"),
        _said("uploader", "Uploader"),
        _said("channel", "Channel"),
        _said("uploaded", "Upload date, YYYYMMDD"),
        LICENCE,
        _said("licence_evidence", "What says so: the platform's field or the page's markup"),
        LANGUAGE,
        _said("duration", "Length", DOUBLE, "seconds"),
        _said("width", "Width of the picture", INT, "pixels"),
        _said("height", "Height of the picture", INT, "pixels"),
        _said("fps", "Frame rate", DOUBLE, "frames/s"),
        _said("video_codec", "Video codec as stated (RFC 6381)"),
        _said("audio_codec", "Audio codec as stated (RFC 6381)"),
        Column(name="formats", type=MEDIA_FORMATS, comment="Every format that was offered"),
        Column(name="files", type=MEDIA_FILES, comment="Files taken, with their checksums"),
        Column(name="subtitles", type=SUBTITLES, comment="Subtitles taken, own and automatic"),
        Column(name="bytes", type=LONG, minimum=0, unit="bytes", comment="Size of all files"),
        Column(name="fetched_at", type=TIMESTAMP, volatile=True, comment="When it was decided"),
        CODE_VERSION,
        CONFIG_HASH,
    ),
    constraints={
        "rejected_by_a_rule": "(verdict = 'rejected') = (rule IS NOT NULL)",
        "quarantined_for_an_error": "(verdict = 'quarantined') = (error_class IS NOT NULL)",
    },
)

TABLES: dict[str, TableSpec] = {
    spec.name: spec
    for spec in (
        FRONTIER,
        FETCHES,
        DOCUMENTS,
        LEDGER,
        POLICIES,
        FILTERED,
        REJECTED,
        QUARANTINE,
        SIGNATURES,
        CLUSTERS,
        DEDUPLICATED,
        FINDINGS,
        CORPUS,
        MEDIA,
    )
}
