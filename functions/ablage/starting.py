"""Handlers import this before all else: hardly anything a starting process makes is garbage, yet
Python's collector would look through all of it again and again. `storage()` ends the start."""

import gc

gc.disable()
