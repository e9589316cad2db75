//! Servers that do as they are told, well or badly.

use crate::support::serve;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A connection of a server.
pub struct Peer<S = TcpStream> {
    pub stream: S,
    input: Vec<u8>,
}

impl<S: Read + Write> Peer<S> {
    pub fn new(stream: S) -> Peer<S> {
        Peer {
            stream,
            input: Vec::new(),
        }
    }

    fn more(&mut self) -> bool {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece) {
            Ok(count) if count > 0 => {
                self.input.extend_from_slice(&piece[..count]);
                true
            }
            _ => false,
        }
    }

    /// Takes up to a text, which is there too; `None` at the end.
    pub fn until(&mut self, text: &str) -> Option<String> {
        loop {
            let found = (self.input.windows(text.len())).position(|part| part == text.as_bytes());
            if let Some(at) = found {
                let taken: Vec<u8> = self.input.drain(..at + text.len()).collect();
                return Some(String::from_utf8_lossy(&taken).into_owned());
            }
            if !self.more() {
                return None;
            }
        }
    }

    fn take(&mut self, count: usize) -> Option<String> {
        while self.input.len() < count {
            if !self.more() {
                return None;
            }
        }
        let taken: Vec<u8> = self.input.drain(..count).collect();
        Some(String::from_utf8_lossy(&taken).into_owned())
    }

    /// A whole request as it came, chunks and all.
    pub fn request(&mut self) -> Option<String> {
        let mut request = self.until("\r\n\r\n")?;
        let lower = request.to_ascii_lowercase();
        if lower.contains("transfer-encoding: chunked") {
            request += &self.until("0\r\n\r\n")?;
        } else if let Some((_, rest)) = lower.split_once("content-length: ") {
            let length = rest.split("\r\n").next().unwrap().parse().unwrap();
            request += &self.take(length)?;
        }
        Some(request)
    }

    pub fn say(&mut self, text: impl AsRef<[u8]>) -> bool {
        (self.stream.write_all(text.as_ref()))
            .and_then(|()| self.stream.flush())
            .is_ok()
    }

    /// Waits for the other side to close.
    pub fn wait_for_end(&mut self) {
        while self.more() {
            self.input.clear();
        }
    }
}

/// A response with a body.
pub fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Counts connections, and those that are open.
#[derive(Clone, Default)]
pub struct Counts {
    pub all: Arc<AtomicUsize>,
    pub open: Arc<AtomicUsize>,
    pub most: Arc<AtomicUsize>,
}

/// A server that answers each request by its text with `answer`; the port, and how many connections it had.
pub fn server(answer: impl Fn(&str) -> String + Send + Clone + 'static) -> (String, Counts) {
    let counts = Counts::default();
    let counting = counts.clone();
    let port = serve(move |stream| {
        let number = counting.all.fetch_add(1, Ordering::SeqCst) + 1;
        let open = counting.open.fetch_add(1, Ordering::SeqCst) + 1;
        counting.most.fetch_max(open, Ordering::SeqCst);
        let mut peer = Peer::new(stream);
        while let Some(request) = peer.request() {
            let text = answer(&request).replace("CONNECTION", &number.to_string());
            if !peer.say(text) {
                break;
            }
        }
        counting.open.fetch_sub(1, Ordering::SeqCst);
    });
    (port, counts)
}

/// A server that says back what it was asked.
pub fn echo() -> (String, Counts) {
    server(ok)
}

/// What a server has been asked.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn add(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}
