"""GraphQL execution over a Strawberry schema: document cache, limits, running, error masking.

Knows graphql-core and Strawberry, and nothing of the product that the schema describes.
"""
