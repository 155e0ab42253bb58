"""Errors with a remedy. Their text is what a user reads: the cause and the next step."""


class FoundryError(Exception):
    """A failure that is explained in one line and ends a command with `exit_status`."""

    exit_status = 1


class InputError(FoundryError):
    """Bad usage or bad input: nothing was written (exit status 2)."""

    exit_status = 2


class StepError(FoundryError):
    """A step failed part-way; running it again resumes (exit status 1)."""
