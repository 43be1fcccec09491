"""Metric learning with hard samples: mined, generated in one stage, generated in two stages.

What is called two-stage is a reconstruction: its exact pieces and its adaptive rule are not
published in a form that could be read, so each of them is an option.
"""
