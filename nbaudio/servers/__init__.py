"""Which servers the person has, by name, and where the key to each comes from."""
