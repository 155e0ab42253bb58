"""Indexed datasets: Megatron `.bin/.idx` with a documents table and a manifest."""
