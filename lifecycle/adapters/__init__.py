"""Concrete adapters of the ports. Only `lifecycle.app` names them."""
