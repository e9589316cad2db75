//! Many open keep-alive connections and a steady load spread over all of them: `cargo bench -p rille --bench connections`, with the options
//! `-- [--connections N] [--rate N] [--seconds N] [--workers N]`.
//!
//! Starts `rille serve` with an app that says hello, opens the connections (each makes one request, so that what a connection keeps is there), and
//! sends requests at fixed times, each on the connection whose turn it is in an order that jumps about. A latency is counted from when the request
//! was to be sent: what is late because an earlier one was is late here too. Prints a table in Markdown, and fails if there was an error.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rille_testkit::server::Server;
use rille_testkit::temp::TempDir;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, ExitCode};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinSet, LocalSet};

/// Connections from one source address: it has some 28,000 ports.
const FROM_ONE_ADDRESS: usize = 20_000;
/// Connections that are being opened at a time: no more than the server's queue has room for.
const OPENING: usize = 200;
/// Connections before the resident set is first looked at.
const WARM: usize = 100;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
/// The end of the response to it.
const END: &[u8] = b"\r\n\r\nhello";

struct Options {
    connections: usize,
    rate: u32,
    seconds: u32,
    workers: u32,
}

impl Options {
    fn parse() -> Result<Options, String> {
        let mut options = Options {
            connections: 15_000,
            rate: 1000,
            seconds: 30,
            workers: 2,
        };
        // cargo adds `--bench`.
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            let value = words.next().and_then(|value| value.parse::<u32>().ok());
            let value = value.filter(|value| *value > 0);
            let value = value.ok_or_else(|| format!("{word} needs a whole number"))?;
            match word.as_str() {
                "--connections" => options.connections = value as usize,
                "--rate" => options.rate = value,
                "--seconds" => options.seconds = value,
                "--workers" => options.workers = value,
                _ => return Err(format!("there is no option {word}")),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    let result = Options::parse().and_then(|options| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let measured = LocalSet::new().block_on(&runtime, measure(&options));
        measured.map_err(|error| error.to_string())
    });
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

/// What came of the requests.
#[derive(Default)]
struct Tally {
    /// From when each was to be sent to the end of its response.
    latencies: RefCell<Vec<Duration>>,
    errors: Cell<usize>,
    first_error: RefCell<Option<String>>,
}

impl Tally {
    fn failed(&self, error: &io::Error) {
        self.errors.set(self.errors.get() + 1);
        (self.first_error.borrow_mut()).get_or_insert_with(|| error.to_string());
    }
}

/// True: there was no error.
async fn measure(options: &Options) -> io::Result<bool> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let dir = TempDir::new("rille-connections")?;
    dir.write("index.lua", "return function() return 'hello' end")?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_rille"));
    command.args(["serve", &dir.path().to_string_lossy()]);
    command.args(["--listen", "127.0.0.1:0"]);
    command.args(["--workers", &options.workers.to_string()]);
    let server = Server::start(&mut command)?;
    let start = Instant::now();
    let mut connections = open(server.address(), 0..WARM.min(options.connections)).await?;
    let before = resident(server.id())?;
    let counted = connections.len()..options.connections;
    let count = counted.len();
    connections.extend(open(server.address(), counted).await?);
    let opened = start.elapsed();
    let grown = resident(server.id())?.saturating_sub(before);
    let connections: Vec<_> = connections
        .into_iter()
        .map(|c| Rc::new(RefCell::new(Some(c))))
        .collect();
    let used = processor_time(server.id())?;
    let tally = Rc::new(Tally::default());
    send(options, &connections, &tally).await;
    let used = processor_time(server.id())? - used;
    let alive = connections.iter().filter(|c| c.borrow().is_some()).count();
    let after = resident(server.id())?.saturating_sub(before);
    let mut latencies = tally.latencies.take();
    latencies.sort();
    let at = |part: f64| {
        let place = (latencies.len() as f64 * part) as usize;
        let latency = latencies.get(place.min(latencies.len().saturating_sub(1)));
        latency.map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    };
    println!(
        "| {} connections, {} workers | |\n|---|---|",
        options.connections, options.workers
    );
    println!("| opened in | {:.1} s |", opened.as_secs_f64());
    println!(
        "| bytes of the resident set for each, idle | {} |",
        grown / count.max(1)
    );
    println!("| the same after the load | {} |", after / count.max(1));
    println!(
        "| requests in {} s | {} |",
        options.seconds,
        latencies.len()
    );
    println!("| errors | {} |", tally.errors.get());
    println!("| open in the end | {alive} |");
    println!(
        "| p50, p99, p99.9, slowest | {:.2}, {:.2}, {:.2}, {:.2} ms |",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
    println!(
        "| processor time of the server | {:.1} % of a core |",
        used / f64::from(options.seconds) * 100.0
    );
    if let Some(error) = tally.first_error.take() {
        println!("\nThe first error: {error}");
    }
    // The first line of the log says that it listens.
    let log = server.log();
    let complaints: Vec<_> = log.lines().skip(1).take(5).collect();
    if !complaints.is_empty() {
        println!("\nThe server's log:\n{}", complaints.join("\n"));
    }
    Ok(tally.errors.get() == 0 && alive == options.connections && complaints.is_empty())
}

/// Opens connections, each with one request made on it.
async fn open(to: SocketAddr, places: std::ops::Range<usize>) -> io::Result<Vec<TcpStream>> {
    let mut opened = Vec::with_capacity(places.len());
    let mut opening = JoinSet::new();
    for place in places {
        if opening.len() == OPENING {
            opened.extend(next(&mut opening).await?);
        }
        opening.spawn_local(async move {
            let socket = TcpSocket::new_v4()?;
            let from = Ipv4Addr::new(127, 0, 0, 1 + (place / FROM_ONE_ADDRESS) as u8);
            socket.set_reuseaddr(true)?;
            if place >= FROM_ONE_ADDRESS {
                socket.bind((from, 0).into())?;
            }
            let mut stream = socket.connect(to).await?;
            stream.set_nodelay(true)?;
            exchange(&mut stream).await?;
            Ok(stream)
        });
    }
    while let Some(stream) = next(&mut opening).await? {
        opened.push(stream);
    }
    Ok(opened)
}

async fn next(opening: &mut JoinSet<io::Result<TcpStream>>) -> io::Result<Option<TcpStream>> {
    match opening.join_next().await {
        None => Ok(None),
        Some(joined) => joined.map_err(io::Error::other)?.map(Some),
    }
}

/// One request and its response.
async fn exchange(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(REQUEST).await?;
    let mut response = Vec::with_capacity(256);
    while !response.ends_with(END) {
        if stream.read_buf(&mut response).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    match response.starts_with(b"HTTP/1.1 200 ") {
        true => Ok(()),
        false => Err(io::Error::other("a response of another status")),
    }
}

/// A connection, unless it is being used or has failed.
type Place = Rc<RefCell<Option<TcpStream>>>;

/// Sends requests at their times and waits for all responses.
async fn send(options: &Options, connections: &[Place], tally: &Rc<Tally>) {
    let mut sent = JoinSet::new();
    // A step that shares no factor with the count comes by every one of them.
    let step = (connections.len() / 3..)
        .find(|step| *step > 0 && common_factor(*step, connections.len()) == 1)
        .unwrap_or(1);
    let start = Instant::now();
    for number in 0..options.rate * options.seconds {
        let due = start + Duration::from_secs(1) * number / options.rate;
        tokio::time::sleep_until(due.into()).await;
        let place = connections[number as usize * step % connections.len()].clone();
        let tally = tally.clone();
        sent.spawn_local(async move {
            let Some(mut stream) = place.take() else {
                return tally.failed(&io::Error::other("the response before has not come"));
            };
            match exchange(&mut stream).await {
                Ok(()) => {
                    tally.latencies.borrow_mut().push(due.elapsed());
                    place.replace(Some(stream));
                }
                Err(error) => tally.failed(&error),
            }
        });
        while sent.try_join_next().is_some() {}
    }
    while sent.join_next().await.is_some() {}
}

fn common_factor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_factor(b, a % b) }
}

/// Bytes of a process's resident set.
fn resident(process: u32) -> io::Result<usize> {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm"))?;
    let pages = text
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    Ok(pages.unwrap_or(0) * 4096)
}

/// Seconds of processor time that a process has used, in user and system mode.
fn processor_time(process: u32) -> io::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name may have spaces; what follows it has none. A tick is 10 ms on Linux.
    let fields = text.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let ticks = fields.split(' ').skip(11).take(2);
    Ok(ticks
        .filter_map(|field| field.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0)
}
