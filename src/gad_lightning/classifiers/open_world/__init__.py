"""Actions that are none of the classes, and classes that are added without training."""
