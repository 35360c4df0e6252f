"""GraphiQL, the in-browser explorer of the API, as a page of our own server."""
