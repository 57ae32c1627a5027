"""Who is trusted for what, since when: the three-region trust list, and the vocabulary that every part shares.

Read first: `model` (the words), `acceptance` (the gate), `recognition` (the rule), `publication` (how a list is made).
"""
