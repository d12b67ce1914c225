"""Redis 7: in the cluster for local, managed or external elsewhere; one connection type for all of them."""
