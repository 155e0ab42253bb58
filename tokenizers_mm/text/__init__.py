"""Text tokens: train or adopt a byte-level BPE, and encode whole Arrow batches with it."""
