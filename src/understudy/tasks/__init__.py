"""Task families by name. Each family is made on first use, so that `understudy --help` stays fast."""
