"""Measurements of the storage backends alone, without GraphQL and HTTP."""
