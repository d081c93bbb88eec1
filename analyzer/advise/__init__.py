"""Answers to findings: candidate indexes, and the proof that they help."""
