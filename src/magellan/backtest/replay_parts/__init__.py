"""Parts of the replay kernel, by what they are about. `replay_kernel.py` says in which order they act."""
