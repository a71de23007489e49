"""The HTTP API: parse, call a use case, answer with source and age."""
