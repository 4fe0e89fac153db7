"""Money laundering: typologies, static factors, the score of a client, and the statutory list.

Everything here is for compliance alone; `lifecycle.clients.reading` keeps it from everybody else, and
docs/aml.md says what each typology means.
"""
