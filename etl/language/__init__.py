"""The language of a text: fastText's lid.176, as ISO 639-3 with the script where it matters."""
