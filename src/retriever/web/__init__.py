"""The search page: an answer as HTML, with its stylesheet, its script and the policy that they run under."""
