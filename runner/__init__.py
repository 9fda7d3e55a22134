"""trueup's runner: plan, apply, verify and roll back a service's way to the house standard."""
