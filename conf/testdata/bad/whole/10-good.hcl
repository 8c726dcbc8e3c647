node = "lb-a"
