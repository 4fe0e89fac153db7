"""Rivals on the ingest job: the same records, the same decode and fold where the language allows.

One module per rival, started as a process with one JSON argument; it runs until it is ended. Every
transaction adds the number of its records to `plain.offsets`, which is how progress is seen.
"""
