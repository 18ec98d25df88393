"""The pages of crops and holes, and the pictures on them."""
