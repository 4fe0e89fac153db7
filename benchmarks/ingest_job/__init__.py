"""The ingest job: one stream of postings that the product and plain pipelines both have to take in."""
