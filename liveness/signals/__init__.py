"""What can be measured on the frames of a session: pure functions over points and pixels.

Owns:    one signal a module. Leaves thresholds to `config`, their meaning to `decision`.
Rules:   numbers in, numbers out; no library but numpy; no clock, no state outside `actions.ActionTracker`
"""
