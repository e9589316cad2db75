return "A call-flow app: see README.md. Its phones connect to the port that the server's first line names.\n"
