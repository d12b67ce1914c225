"""The container image: built from the working copy (local, dev), or a release that CI has built."""
