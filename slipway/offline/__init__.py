"""The program without an engine: run it once, keep every registration, derive everything else from that record."""
