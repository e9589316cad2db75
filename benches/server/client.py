"""client.py PORT PATH COUNT [CONNECTIONS]: so many requests over kept connections (16), a round of all of them at a time."""
import socket, sys
port, path, n = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
conns = int(sys.argv[4]) if len(sys.argv) > 4 else 16
ss = [socket.create_connection(('127.0.0.1', port)) for _ in range(conns)]
req = f'GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n'.encode()
done = 0
while done < n:
    for s in ss: s.sendall(req)
    for s in ss:
        b = s.recv(65536)
        assert b.startswith(b'HTTP/1.1 200'), b
    done += conns
print(b.decode())
