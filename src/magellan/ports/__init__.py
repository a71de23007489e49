"""Every way out, as protocols. An adapter keeps each; a suite in tests/contracts holds it to that."""
