"""Object storage (S3 and what speaks its protocol): paths, files both ways, objects as files."""
