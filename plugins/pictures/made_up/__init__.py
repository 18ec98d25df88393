"""Pictures that are made up from what is known of the plant: new things that are no proliv, and proliv of many kinds.

All are torch tensors, float32 (N, 3, H, W), intensities 0-1, and everything random comes from one `Draw`. Places and
lengths are in half heights and half widths of the picture, with 0 in its middle and 1 at its edge, unless a constant
says otherwise.
"""
