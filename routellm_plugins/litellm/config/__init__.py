"""What a config says about routed aliases; nothing here imports litellm."""
