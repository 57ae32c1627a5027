"""The errand: one cross-border matter of one citizen, done over HTTP as the citizen's browser, and checked as a reader would.

`steps` is the order; each step says what was proven and by which document. `tampers` names the faults and the error each must end in.
"""
