"""Restructuring measured on public projects with test suites, and on trees of many files."""
