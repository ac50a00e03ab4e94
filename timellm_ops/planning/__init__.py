"""What a run would come to, from its config alone: steps, weights, memory, files.

All pure but `known_file`; nothing heavy is imported, so that a plan takes a moment.
"""
