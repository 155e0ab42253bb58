"""Existing corpora and files into records: formats told by content, every byte accounted for."""
