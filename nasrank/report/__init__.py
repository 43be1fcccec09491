"""One page to look at, made of what commands have written."""
