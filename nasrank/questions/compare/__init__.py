"""Which loss finds the best architectures with the fewest evaluations?"""
