"""Backups, and the restores that prove them."""
