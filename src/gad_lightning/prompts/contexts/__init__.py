"""Auxiliary contexts: what GAD writes after [CLS] while it trains. One file each."""
