"""Files and folders: walking, moving, naming them, and what they look like."""
