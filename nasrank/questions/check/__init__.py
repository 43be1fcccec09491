"""Is a predictor still as good as its baseline?"""
