//! A quiet tenant alone and beside a hostile one on the same worker: `cargo bench -p rille --bench neighbour`, with the options
//! `-- [--rate N] [--seconds N] [--rounds N] [--only NAME]`.
//!
//! One worker, bound to the first core; the client has the others. The quiet app is asked at fixed times, and a latency counts from when the request was to be
//! sent. For each kind of hostility the quiet app is measured alone and beside it, in turn, so that what else the machine does is in both; the medians of the
//! rounds are compared. The goal: a p99 of at most 1.2 times the one alone and two slices of a millisecond, and no error. Fails if one is missed.

use rille_testkit::http;
use rille_testkit::server::Server;
use rille_testkit::temp::TempDir;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Two slices.
const SLICES: Duration = Duration::from_millis(2);
/// Requests of the hostile app at a time: with `cpu = "2 s"`, far beyond what it has.
const HOSTS: usize = 16;

/// What the hostile app does for each request, without end.
const HOSTILE: &[(&str, &str)] = &[
    (
        "loops",
        "while true do pcall(function() for i = 1, 1e9 do end end) end",
    ),
    (
        "allocation",
        "while true do local t = {} for i = 1, 20000 do t[i] = {i} end for i = 1, 50 do t[i] = ('x'):rep(20000) .. i end end",
    ),
    (
        "large strings",
        "while true do pcall(function() local s = 'x' while true do s = s .. s end end) end",
    ),
    (
        "patterns",
        "local s = ('a'):rep(3e5) while true do s:find('.-b') end",
    ),
    (
        "tasks",
        "while true do task.spawn('short') task.spawn('busy') end",
    ),
    (
        "timers",
        "while true do timer.after(0, function() local n = 0 for i = 1, 1e5 do n = n + i end end) ngx.timer.at(0, print) end",
    ),
    (
        "light threads",
        "while true do pcall(ngx.thread.spawn, function() for i = 1, 1e4 do end sleep(0) end) end",
    ),
    (
        "sockets",
        "local held = {} while true do local sock = ngx.socket.tcp() sock:connect('127.0.0.1', request.port) held[#held % 100 + 1] = sock sock:send('GET / HTTP/1.1') end",
    ),
    ("log", "while true do log.info(('x'):rep(8000)) end"),
    ("errors", "error(('x'):rep(1e6))"),
    ("wakes", "while true do sleep(0) end"),
];

struct Options {
    rate: u32,
    seconds: u32,
    rounds: usize,
    only: Option<String>,
}

impl Options {
    fn parse() -> Result<Options, String> {
        let mut options = Options {
            rate: 500,
            seconds: 3,
            rounds: 3,
            only: None,
        };
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            let value = words
                .next()
                .ok_or_else(|| format!("{word} needs a value"))?;
            let number = || {
                value
                    .parse::<u32>()
                    .ok()
                    .filter(|n| *n > 0)
                    .ok_or_else(|| format!("{word} needs a whole number"))
            };
            match word.as_str() {
                "--rate" => options.rate = number()?,
                "--seconds" => options.seconds = number()?,
                "--rounds" => options.rounds = number()? as usize,
                "--only" => options.only = Some(value),
                _ => return Err(format!("there is no option {word}")),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    let measured =
        Options::parse().and_then(|options| measure(&options).map_err(|error| error.to_string()));
    match measured {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

/// True: every goal is met.
fn measure(options: &Options) -> io::Result<bool> {
    println!(
        "| beside | p50, p99 alone | p50, p99 beside it | allowed p99 | errors | hostile requests |\n|---|---|---|---|---|---|"
    );
    let mut good = true;
    for (name, code) in HOSTILE {
        if options.only.as_deref().is_none_or(|only| only == *name) {
            good &= beside(options, name, code)?;
        }
    }
    Ok(good)
}

fn beside(options: &Options, name: &str, code: &str) -> io::Result<bool> {
    let dir = TempDir::new("rille-neighbour")?;
    dir.write("quiet/index.lua", "return function() return 'quiet' end")?;
    dir.write(
        "hostile/rille.toml",
        "[limits]\ncpu = '2 s'\nwall = '3 s'\nsockets = 64\n[outbound]\nallow = ['self']",
    )?;
    dir.write("hostile/index.lua", code)?;
    dir.write("hostile/tasks/short.lua", "return")?;
    dir.write("hostile/tasks/busy.lua", "while true do end")?;
    let (mut alone, mut beside, mut errors, mut asked) = (Vec::new(), Vec::new(), 0, 0);
    for _ in 0..options.rounds {
        // A server of its own: tasks that a round leaves behind would be in the next.
        let mut command = Command::new("taskset");
        command.args(["-c", "0", env!("CARGO_BIN_EXE_rille"), "serve"]);
        command.args([
            &*dir.path().to_string_lossy(),
            "--listen",
            "127.0.0.1:0",
            "--workers",
            "1",
        ]);
        let server = Server::start(&mut command)?;
        let address = server.address();
        quiet(address, options.rate, 1)?;
        let (figures, failed) = quiet(address, options.rate, options.seconds)?;
        alone.push(figures);
        errors += failed;
        let hostile = Hostile::start(address);
        std::thread::sleep(Duration::from_millis(300));
        let (figures, failed) = quiet(address, options.rate, options.seconds)?;
        beside.push(figures);
        errors += failed;
        // Its last requests end with the server.
        drop(server);
        asked += hostile.stop();
    }
    let (alone, beside) = (median(alone), median(beside));
    let allowed = alone.1.mul_f64(1.2) + SLICES;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "| {name} | {:.2}, {:.2} ms | {:.2}, {:.2} ms | {:.2} ms | {errors} | {asked} |",
        ms(alone.0),
        ms(alone.1),
        ms(beside.0),
        ms(beside.1),
        ms(allowed)
    );
    Ok(errors == 0 && beside.1 <= allowed)
}

/// The median of each of both.
fn median(mut rounds: Vec<(Duration, Duration)>) -> (Duration, Duration) {
    let middle = rounds.len() / 2;
    rounds.sort_by_key(|round| round.0);
    let first = rounds[middle].0;
    rounds.sort_by_key(|round| round.1);
    (first, rounds[middle].1)
}

/// Asks the quiet app at fixed times over one connection after another of eight: p50 and p99, and how many failed.
fn quiet(
    address: SocketAddr,
    rate: u32,
    seconds: u32,
) -> io::Result<((Duration, Duration), usize)> {
    let errors = Arc::new(AtomicUsize::new(0));
    let start = Instant::now() + Duration::from_millis(20);
    let count = rate * seconds;
    const LANES: u32 = 8;
    let lanes = (0..LANES).map(|lane| {
        let errors = errors.clone();
        std::thread::spawn(move || {
            let mut latencies = Vec::new();
            let mut stream = None;
            for number in (lane..count).step_by(LANES as usize) {
                let due = start + Duration::from_secs(1) * number / rate;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                match exchange(address, &mut stream) {
                    Ok(()) => latencies.push(due.elapsed()),
                    Err(_) => {
                        stream = None;
                        errors.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            latencies
        })
    });
    let lanes: Vec<_> = lanes.collect();
    let mut latencies = Vec::new();
    for lane in lanes {
        latencies.extend(
            lane.join()
                .map_err(|_| io::Error::other("a client failed"))?,
        );
    }
    latencies.sort();
    let at = |part: f64| {
        let place = (latencies.len() as f64 * part) as usize;
        latencies
            .get(place.min(latencies.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    };
    Ok(((at(0.5), at(0.99)), errors.load(Ordering::Relaxed)))
}

fn exchange(address: SocketAddr, stream: &mut Option<TcpStream>) -> io::Result<()> {
    if stream.is_none() {
        let made = TcpStream::connect(address)?;
        made.set_nodelay(true)?;
        made.set_read_timeout(Some(Duration::from_secs(10)))?;
        *stream = Some(made);
    }
    let Some(stream) = stream else {
        return Err(io::Error::other("no connection"));
    };
    stream.write_all(b"GET / HTTP/1.1\r\nHost: quiet.localhost\r\n\r\n")?;
    let mut response = Vec::new();
    let mut some = [0; 1024];
    while !response.ends_with(b"\r\n\r\nquiet") {
        match stream.read(&mut some)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => response.extend_from_slice(&some[..length]),
        }
    }
    match response.starts_with(b"HTTP/1.1 200 ") {
        true => Ok(()),
        false => Err(io::Error::other("a response of another status")),
    }
}

/// Clients of the hostile app.
struct Hostile {
    is_over: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<usize>>,
}

impl Hostile {
    fn start(address: SocketAddr) -> Hostile {
        let is_over = Arc::new(AtomicBool::new(false));
        let client = |_| {
            let is_over = is_over.clone();
            std::thread::spawn(move || {
                let mut count = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let host = [("Host", "hostile.localhost")];
                    count += usize::from(http::request(address, "GET", "/", &host, b"").is_ok());
                }
                count
            })
        };
        let threads = (0..HOSTS).map(client).collect();
        Hostile { is_over, threads }
    }

    /// How many requests it has answered.
    fn stop(self) -> usize {
        self.is_over.store(true, Ordering::Relaxed);
        self.threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .sum()
    }
}
