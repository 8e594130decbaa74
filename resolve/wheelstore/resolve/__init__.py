"""What to install: locks, indexes, selection, downloads."""
