"""What a stack is: its settings, the order of its parts, who may talk to whom, and what it tells its services."""
