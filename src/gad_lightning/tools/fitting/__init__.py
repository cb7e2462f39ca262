"""Commands that fit something to a trained classifier without training it."""
