"""What is in a tree: kinds of files, who imports whom, what is broken, double or dead, and what cannot be imported."""
