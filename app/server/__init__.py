"""The aiohttp application: GraphQL over HTTP and WebSocket, health and the GraphiQL page."""
