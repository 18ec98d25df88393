"""Files and folders: finding, moving and naming them, and what they look like."""
