"""A Python tree put in order: what is in it, where each file should go, and every name of a moved file rewritten."""
