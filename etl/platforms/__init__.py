"""Video and audio from platforms and pages, by yt-dlp behind a gate.

Every request passes the gate (addresses, robots.txt, pace, licence, size); every item ends as one
row of the table `media`. Entry points: `PlatformConfig`, `collect_media`, `search_videos`.
"""

from etl.platforms.config import PlatformConfig
from etl.platforms.job import collect_media
from etl.platforms.search import search_videos

__all__ = ["PlatformConfig", "collect_media", "search_videos"]
