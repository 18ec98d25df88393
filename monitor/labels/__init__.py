"""What people say of crops, and which label counts."""
