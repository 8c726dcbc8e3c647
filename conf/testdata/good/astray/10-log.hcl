log { level = "warn" }
