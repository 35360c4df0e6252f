"""What each operation does, once for every way in: GraphQL, command line, agent tools."""
