"""One file per peer. Each states how the peer is told the workload, and what it cannot be told."""
