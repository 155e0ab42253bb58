"""The glue of the token assets: current corpus in, artefacts of the token packages out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.resources import StoreResource
from schemas.manifest import BlendManifest, IndexedDatasetManifest, TokenizerManifest
from schemas.report import JobReport
from schemas.tables import CORPUS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
