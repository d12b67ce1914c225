"""What belongs to the AWS account: which one it is, and what it may cost."""
