"""Plans: steps that know how to check, do, verify and undo themselves, and the one engine that carries them out."""
