"""What differs between databases, a module each."""
