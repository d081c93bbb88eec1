"""Rules about how an ORM is used."""
