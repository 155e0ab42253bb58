"""Web pages into documents: main text, title, language, licence, with the way back to the bytes."""
