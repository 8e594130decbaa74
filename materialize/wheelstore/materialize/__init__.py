"""Environments made from the store: interpreters, venvs, plans, links."""
