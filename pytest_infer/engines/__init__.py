"""Engines at chosen precisions: one protocol, its backends, and the cache of their plans."""
