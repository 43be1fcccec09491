"""Tables turned into pictures."""
