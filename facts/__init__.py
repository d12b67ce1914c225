"""Facts about the world outside (versions, limits, prices), each with its date and source; imports nothing of ours."""
