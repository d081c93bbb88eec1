"""Two applications that know nothing of queryproof: what a new user would bring."""
