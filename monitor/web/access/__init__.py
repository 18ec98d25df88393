"""Who gets in: users and their logins, programs and their tokens, and what other sites may not ask for."""
