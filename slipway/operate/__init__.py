"""What acts on a running stack: bringing it up, and finishing what was interrupted."""
