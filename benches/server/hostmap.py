"""hostmap.py RILLE ROUNDS: a handler from a bucket against the same one from a folder, in turn.

Both answer the same host with the same code in the same version of Lua. Needs wrk. The bucket is a server of this program's, which is only asked before
the measurement: what is measured is a cached file. It is the server's processor time that is compared, since a busy machine changes that least. The last
line is the median of the ratios of requests a second of processor time, bucket to folder; 0.97 is wanted.
"""
import http.server, os, re, signal, statistics, subprocess, sys, tempfile, threading, time

CODE = b"return function(request) return 'Hello World' end\n"
MANIFEST = b"lua = '5.4'\n"
FILES = {"index.lua": CODE, "rille.toml": MANIFEST}


class Bucket(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.split("?")[0].rsplit("/", 1)[1]
        body = FILES.get(name)
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


def seconds_of(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rate(rille, source, environment):
    command = [rille, "serve", source, "--listen", "127.0.0.1:8098", "--workers", "1"]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    wrk = lambda seconds: subprocess.run(
        ["wrk", "-t1", "-c64", f"-d{seconds}s", "-H", "Host: app.localhost", "http://127.0.0.1:8098/"], capture_output=True, text=True
    ).stdout
    wrk(1)
    before = seconds_of(server.pid)
    out = wrk(5)
    used = seconds_of(server.pid) - before
    server.send_signal(signal.SIGTERM)
    server.wait()
    if re.search("Non-2xx|Socket errors", out):
        sys.exit(f"{source}: {out}")
    return int(re.search(r"(\d+) requests in", out)[1]) / used


def main():
    rille, rounds = sys.argv[1], int(sys.argv[2])
    bucket = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=bucket.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as place:
        folder = os.path.join(place, "app")
        os.mkdir(folder)
        for name, text in FILES.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(text)
        environment = dict(os.environ, RILLE_STATE=os.path.join(place, "state"), AWS_ENDPOINT_URL=f"http://127.0.0.1:{bucket.server_port}")
        ratios = []
        for turn in range(rounds):
            sources = [folder, "s3://code"]
            # Who is first changes.
            order = sources if turn % 2 == 0 else sources[::-1]
            rates = {source: rate(rille, source, environment) for source in order}
            ratios.append(rates["s3://code"] / rates[folder])
            print(f"folder {rates[folder]:.0f}/s, bucket {rates['s3://code']:.0f}/s: {ratios[-1]:.3f}", flush=True)
    print(f"median {statistics.median(ratios):.3f}")


main()
