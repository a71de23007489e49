"""The two kinds of mess that projects grow into, made from a seed, and the whole flow of a restructuring over each."""
