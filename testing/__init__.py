"""What the pytest plugin is made of; loaded only when a test run asks for it."""
