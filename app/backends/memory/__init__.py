"""The backend that keeps everything in the memory of one process, and nothing after it."""
