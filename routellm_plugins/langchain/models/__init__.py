"""The models behind a routed one: made, checked, unwrapped, and given tools."""
