"""The permit and the living holder.

Owns:    travel-permit and card numbers, the liveness session, the judgement of its frames, the permit attestation.
Leaves:  who the person is to `idp`; whether the portrait is the holder's to the permit authority; HTTP statuses, page frame,
         database and keys to `service`.
Rules:   the core (`documents`, `signals`, `decision`, `session`, `frame_chain`, `attestation`) is pure: bytes, values and `at` in;
         frames live in memory only and are erased after the answer; nothing is downloaded at run time.
"""
