"""Blends: which datasets a training run reads, and how much of each."""
