"""What is there to know of a task before anything is trained on it?"""
