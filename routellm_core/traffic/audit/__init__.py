"""What routing would have done with the calls in a log. Of quality it says nothing."""
