"""Storage: one protocol, many backends. Knows nothing of GraphQL, roles or other backends."""
