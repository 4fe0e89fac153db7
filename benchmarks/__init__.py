"""Reproducible measurements. Each starts a scratch platform of its own and removes it."""
