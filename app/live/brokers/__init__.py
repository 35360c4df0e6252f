"""Ways of carrying hints between the writers and the readers of logs."""
