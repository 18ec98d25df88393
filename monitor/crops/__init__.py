"""From a file to a crop: reading, decoding, identity and labelled folders of crops."""
