"""The program without an engine: run it once, keep every registration, derive everything from the record."""
