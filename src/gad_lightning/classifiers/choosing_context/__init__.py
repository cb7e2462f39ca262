"""Which context to write: usable information in slot states, without training GAD."""
