"""The certificates of what runs inside the cluster: one authority for a stack, and what it signs."""
