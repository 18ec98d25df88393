"""Avatars: models of pictures, their sources, faces of styles, mosaics and sheets."""
