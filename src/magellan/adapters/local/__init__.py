"""This machine: its cores, and its folder for what a sweep has found so far."""
