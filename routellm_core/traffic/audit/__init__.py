"""What routing would have done with the calls in a log. Without labels it says nothing of quality."""
