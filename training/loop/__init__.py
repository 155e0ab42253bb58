"""The training loop: schedule, steps, evaluation, checkpoints, signals."""
