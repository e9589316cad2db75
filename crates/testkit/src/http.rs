//! A small HTTP/1.1 client for wire tests: raw request bytes out, a parsed response in. It sends exactly what a test
//! says, malformed or not, which a well-behaved client library would refuse to do.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No wire test waits longer than this for one read.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// A body larger than this is a fault of the server under test, not something to store.
const MAX_BODY_BYTES: usize = 64 << 20;

/// A response as it came over the wire.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub reason: String,
    /// In order, names as sent.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the body came chunked; its framing is already removed from `body`.
    pub chunked: bool,
}

impl Response {
    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// All headers of that name, whatever its case.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A connection that may carry several requests.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        stream.set_write_timeout(Some(READ_TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream: BufReader::new(stream),
        })
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads the response to a request of any method but HEAD.
    pub fn receive(&mut self) -> io::Result<Response> {
        self.receive_to("GET")
    }

    /// Reads the response to a request of this method: one to HEAD has no body, whatever its headers say.
    pub fn receive_to(&mut self, method: &str) -> io::Result<Response> {
        loop {
            let mut response = self.head()?;
            // An interim response announces the final one.
            if (100..200).contains(&response.status) && response.status != 101 {
                continue;
            }
            let bodiless = method == "HEAD" || matches!(response.status, 101 | 204 | 304);
            if !bodiless {
                self.body(&mut response)?;
            }
            return Ok(response);
        }
    }

    /// Reads an interim response (1xx): its status.
    pub fn receive_interim(&mut self) -> io::Result<u16> {
        self.head().map(|response| response.status)
    }

    /// Reads bytes as they are: at least one, unless the peer has closed its side.
    pub fn receive_bytes(&mut self) -> io::Result<Vec<u8>> {
        let bytes = self.stream.fill_buf()?.to_vec();
        self.stream.consume(bytes.len());
        Ok(bytes)
    }

    /// Whether the peer has closed its side and nothing is left to read.
    pub fn at_end(&mut self) -> io::Result<bool> {
        Ok(self.stream.fill_buf()?.is_empty())
    }

    fn head(&mut self) -> io::Result<Response> {
        let line = self.line()?;
        let mut parts = line.splitn(3, ' ');
        let version = parts.next().unwrap_or_default();
        let status = parts.next().and_then(|s| s.parse().ok());
        let (true, Some(status)) = (version.starts_with("HTTP/1."), status) else {
            return Err(malformed(&format!("status line {line:?}")));
        };
        let reason = parts.next().unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let Some((name, value)) = line.split_once(':') else {
                return Err(malformed(&format!("header line {line:?}")));
            };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        Ok(Response {
            status,
            reason,
            headers,
            body: Vec::new(),
            chunked: false,
        })
    }

    fn body(&mut self, response: &mut Response) -> io::Result<()> {
        let encoding = response.header("transfer-encoding").unwrap_or_default();
        if encoding.to_ascii_lowercase().ends_with("chunked") {
            response.chunked = true;
            while self.chunk(&mut response.body)? {}
            // Trailers, up to the empty line.
            while !self.line()?.is_empty() {}
        } else if let Some(length) = response.header("content-length") {
            let length = length.parse().map_err(|_| malformed("content-length"))?;
            self.exactly(length, &mut response.body)?;
        } else {
            let limit = MAX_BODY_BYTES as u64;
            self.stream
                .by_ref()
                .take(limit)
                .read_to_end(&mut response.body)?;
        }
        Ok(())
    }

    /// Reads one chunk; false at the last one.
    fn chunk(&mut self, body: &mut Vec<u8>) -> io::Result<bool> {
        let line = self.line()?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let length = usize::from_str_radix(digits, 16).map_err(|_| malformed("chunk size"))?;
        if length == 0 {
            return Ok(false);
        }
        self.exactly(length, body)?;
        match self.line()?.is_empty() {
            true => Ok(true),
            false => Err(malformed("chunk end")),
        }
    }

    fn exactly(&mut self, length: usize, body: &mut Vec<u8>) -> io::Result<()> {
        if body.len().saturating_add(length) > MAX_BODY_BYTES {
            return Err(malformed("a body larger than any test expects"));
        }
        let start = body.len();
        body.resize(start + length, 0);
        self.stream.read_exact(&mut body[start..])
    }

    fn line(&mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.stream.read_until(b'\n', &mut bytes)?;
        if bytes.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("malformed response: {what}"),
    )
}

/// Sends raw bytes on a fresh connection and reads one response.
pub fn exchange(address: SocketAddr, request: &[u8]) -> io::Result<Response> {
    let mut connection = Connection::open(address)?;
    connection.send(request)?;
    let method = request.split(|&b| b == b' ').next().unwrap_or_default();
    connection.receive_to(&String::from_utf8_lossy(method))
}

/// A well-formed request on a fresh connection, which is closed after the response.
pub fn request(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Response> {
    let mut text = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        text.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    exchange(address, &bytes)
}

/// `GET target`.
pub fn get(address: SocketAddr, target: &str) -> io::Result<Response> {
    request(address, "GET", target, &[], b"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// Answers one connection with fixed bytes, after reading a request's head.
    fn serve(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap_or(0) > 2 {
                line.clear();
            }
            reader.get_mut().write_all(answer).unwrap();
        });
        address
    }

    #[test]
    fn reads_a_body_by_its_length() {
        let address = serve(b"HTTP/1.1 404 Not Found\r\nX-A: 1\r\nContent-Length: 3\r\n\r\nabcdef");
        let response = get(address, "/").unwrap();
        assert_eq!(
            (response.status, response.reason.as_str()),
            (404, "Not Found")
        );
        assert_eq!(response.header("x-a"), Some("1"));
        assert_eq!(response.text(), "abc");
    }

    #[test]
    fn removes_chunked_framing_and_skips_interim_responses() {
        let address = serve(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
              4;x=y\r\nwiki\r\n5\r\npedia\r\n0\r\nT: 1\r\n\r\n",
        );
        let response = get(address, "/").unwrap();
        assert_eq!(response.text(), "wikipedia");
        assert!(response.chunked);
    }

    #[test]
    fn a_body_may_end_with_the_connection_and_head_has_none() {
        let response = get(serve(b"HTTP/1.0 200 OK\r\n\r\nto the end"), "/").unwrap();
        assert_eq!(response.text(), "to the end");
        let address = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n");
        let response = request(address, "HEAD", "/", &[], b"").unwrap();
        assert!(response.body.is_empty());
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        assert!(get(serve(b"hello\r\n"), "/").is_err());
        assert!(
            get(
                serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"),
                "/"
            )
            .is_err()
        );
    }
}
