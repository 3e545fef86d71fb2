"""Accepted runs, kept per device: the schema, the store's protocol, and the directory store."""
