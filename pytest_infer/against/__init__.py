"""Interleaved A/B: the same test here and on another side (a revision, an interpreter, a checkout), in turn."""
