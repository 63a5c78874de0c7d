"""What requests will take and have taken, budgets that they must keep, and answers that cost nothing any more."""
