"""Events of jobs as they happen: read, resumed where a connection broke, waited by."""
