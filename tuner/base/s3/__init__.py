"""Requests to S3: the client, retries, and failures in words. Stores and images in a bucket both ask here."""
