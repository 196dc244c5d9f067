"""A ``litellm.Router`` that an application builds itself."""
