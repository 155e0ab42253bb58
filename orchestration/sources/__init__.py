"""The sources of the graph: declared in one YAML file, acquired partition by partition.

A source only brings bytes. When one of its partitions is there, the arrivals sensor gives it a
snapshot, and the landing job takes that into the corpus.
"""
