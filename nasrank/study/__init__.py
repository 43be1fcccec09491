"""What every study shares: its declaration, its command, its runs and claims."""
