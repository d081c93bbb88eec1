"""SQL text: tokens, fingerprint, parsing, and what each query asks of each table."""
