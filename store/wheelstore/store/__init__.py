"""The content-addressed store: blobs, index, ingest."""
