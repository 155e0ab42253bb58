"""Contracts shared by every package: tables, manifests, reports, identity, vocabulary.

Imports the standard library, pyarrow and pydantic only, so that any package (the GPU image's
`training` included) can depend on it.
"""

__version__ = "0.1.0"
