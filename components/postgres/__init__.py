"""PostgreSQL 16: in the cluster for local, managed or external elsewhere; one connection type for all of them."""
