"""Maple Street School: a made-up school and nine days of its mail, for `alliance demo`.

Every text was written by hand for this folder and is in no training data. `mail/` holds what people wrote, one file per
teacher; `robots/` what mail systems sent, as it arrived. Nobody in it exists.
"""
