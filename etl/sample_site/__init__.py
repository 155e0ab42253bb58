"""The sample site: a small web, generated from a seed, that knows the truth about each page."""

from etl.sample_site.generate import build_site
from etl.sample_site.model import Page, Site, Truth

__all__ = ["Page", "Site", "Truth", "build_site"]
