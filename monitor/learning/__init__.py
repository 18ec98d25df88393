"""Models learn from labels: trained again, tried in the shadow, accepted or refused."""
