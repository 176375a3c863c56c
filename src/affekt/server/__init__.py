"""HTTP server (extra ``serve``): recognition requests, jobs, live streams, web page."""
