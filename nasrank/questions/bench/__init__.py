"""How fast is nasrank on this machine?"""
