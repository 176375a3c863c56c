"""The HTTP server (extra ``serve``): recognise, jobs, live streams, and the page."""
