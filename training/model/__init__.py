"""The model and what stands around it: process groups, data-parallel wrapper, optimizer."""
