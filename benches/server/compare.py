"""compare.py RILLE PATH ROUNDS: processor time a request of Rille and of nginx with lua-nginx-module, in turn.

PATH is /hello or /get (app/). Needs nginx, wrk and, for /get, redis-server. Each server has one worker and is asked by
`wrk -t1 -c64` for five seconds after one second to warm up.
"""
import os, re, signal, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
TICK = os.sysconf("SC_CLK_TCK")


def ticks(pid):
    """User and system time of a process and its children, in ticks."""
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    fields = [open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split() for p in [pid, *children]]
    return [sum(int(f[at]) for f in fields) for at in (11, 12)]


def wrk(url, seconds):
    command = ["wrk", "--latency", "-t1", "-c64", f"-d{seconds}s", url]
    return subprocess.run(command, capture_output=True, text=True).stdout


def measure(name, command, url):
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1.5)
    wrk(url, 1)
    before = ticks(server.pid)
    out = wrk(url, 5)
    after = ticks(server.pid)
    server.send_signal(signal.SIGTERM)
    server.wait()
    if re.search("Non-2xx|Socket errors", out):
        sys.exit(f"{name}: {out}")
    requests = int(re.search(r"(\d+) requests in", out)[1])
    user, system = [(b - a) / TICK / requests * 1e6 for a, b in zip(before, after)]
    p99 = re.search(r"99%\s+(\S+)", out)[1]
    print(f"{name:6} {user + system:6.2f} us a request (user {user:.2f}, system {system:.2f}), p99 {p99}, {requests / 5:.0f}/s", flush=True)


def main():
    rille, path, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    redis = None
    if path == "/get":
        redis = subprocess.Popen(["redis-server", "--port", "6399", "--save", ""], stdout=subprocess.DEVNULL)
        time.sleep(1)
        subprocess.run(["redis-cli", "-p", "6399", "set", "greeting", "Hello World"], stdout=subprocess.DEVNULL, check=True)
    try:
        for _ in range(rounds):
            measure("rille", [rille, "serve", f"{HERE}/app", "--listen", "127.0.0.1:8098", "--workers", "1"], f"http://127.0.0.1:8098{path}")
            measure("nginx", ["nginx", "-p", HERE, "-c", "nginx.conf"], f"http://127.0.0.1:8099{path}")
    finally:
        if redis:
            redis.terminate()


main()
