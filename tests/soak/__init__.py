"""A school year in an hour: the whole service by a simulated clock, on real mail systems, judged every day."""
