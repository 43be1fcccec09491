"""What does it take, and which loss to train with?"""
