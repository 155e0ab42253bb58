"""Exact and near duplicates: MinHash signatures, LSH bands, clusters, survivors."""
