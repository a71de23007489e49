"""Which part of a system a file belongs to: evidence, rules that a team edits, and a confidence that was measured."""
