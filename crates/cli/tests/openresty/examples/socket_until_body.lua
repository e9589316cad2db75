-- What `socket_until` reads.
ngx.print("hello, world! -agentless\r\n--abcedhbhello, world! -again_END_tail!!restmore")
