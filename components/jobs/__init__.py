"""What runs to its end: the database migration before a rollout, and programs on a schedule."""
