"""Answers to Trading REST v2, one file per resource: read the request, ask or change the book, write the body."""
