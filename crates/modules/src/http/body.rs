//! The body of a response: what has come of it, decompressed if it must be, bounded if it must be.
//!
//! **Invariants.** No more than the bound is ever collected, decompressed or not. At its end the connection is given back; a reader that is dropped before
//! closes it. Work between two waits is bounded: one piece, or what one step of decompression gives.

use super::error::{Clock, Failure, Outcome};
use super::h1::{H1, Piece};
use super::h2::H2;
use super::head::{Framing, Head};
use super::inflate::{Inflate, STEP};
use rille_runtime::net::{Held, MemoryLimit};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// After so many decompressed bytes others may run.
const TURN: usize = 256 << 10;

/// An exchange whose response is being read.
pub enum Exchange {
    /// Over HTTP/1.1.
    One(Box<H1>),
    /// Over HTTP/2.
    Two(Box<H2>),
}

impl Exchange {
    /// The next piece of the body; `None` at its end.
    async fn next(&mut self, all: bool) -> Outcome<Option<Piece>> {
        match self {
            Exchange::One(exchange) => exchange.next(all).await,
            Exchange::Two(exchange) => exchange.next().await,
        }
    }

    /// What is left has another clock.
    pub fn set_clock(&mut self, clock: Clock) {
        match self {
            Exchange::One(exchange) => exchange.set_clock(clock),
            Exchange::Two(exchange) => exchange.set_clock(clock),
        }
    }

    fn end(self) {
        match self {
            Exchange::One(exchange) => exchange.end(),
            Exchange::Two(exchange) => exchange.end(),
        }
    }
}

/// Work that somebody has to pay for.
#[derive(Clone, Copy, Default)]
pub struct Work {
    /// Bytes that were decompressed.
    pub bytes: u64,
    /// Processor time that took.
    pub time: Duration,
}

impl Work {
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        self.time += begun.elapsed();
        done
    }
}

/// Reads a body.
pub struct Reader {
    exchange: Option<Exchange>,
    inflate: Option<Inflate>,
    was_compressed: bool,
    /// What has come and is not decompressed yet, and how much of it is.
    input: Option<(Piece, usize)>,
    /// What was read and not asked for yet, and how much of it was.
    ready: Option<(Piece, usize)>,
    memory: Rc<MemoryLimit>,
    /// The most bytes in all.
    bound: Option<usize>,
    given: usize,
    /// What was decompressed since somebody asked.
    work: Work,
}

impl Reader {
    /// For the response with this head.
    pub fn new(
        exchange: Exchange,
        head: &Head,
        decompress: bool,
        bound: Option<usize>,
        memory: &Rc<MemoryLimit>,
    ) -> Outcome<Reader> {
        let coding = head.only("content-encoding").filter(|_| decompress);
        let inflate = match head.framing {
            Framing::Length(0) => None,
            _ => coding.and_then(Inflate::new),
        };
        if let (Framing::Length(length), Some(bound), None) = (head.framing, bound, &inflate)
            && length > bound as u64
        {
            return Err(too_long(bound));
        }
        Ok(Reader {
            exchange: Some(exchange),
            was_compressed: inflate.is_some(),
            inflate,
            input: None,
            ready: None,
            memory: memory.clone(),
            bound,
            given: 0,
            work: Work::default(),
        })
    }

    /// Whether the body was compressed, and is not any more.
    pub fn has_decompressed(&self) -> bool {
        self.was_compressed
    }

    /// What was decompressed since this was asked last.
    pub fn take_work(&mut self) -> Work {
        std::mem::take(&mut self.work)
    }

    /// Up to `most` bytes, at least one; `None` at the end.
    pub async fn read(&mut self, most: usize) -> Outcome<Option<Vec<u8>>> {
        if self.ready.is_none() {
            self.ready = self.next(false).await?.map(|piece| (piece, 0));
        }
        let Some((piece, at)) = &mut self.ready else {
            return Ok(None);
        };
        let rest = piece.bytes.get(*at..).unwrap_or_default();
        let given = rest.get(..most).unwrap_or(rest).to_vec();
        *at += given.len();
        if *at >= piece.bytes.len() {
            self.ready = None;
        }
        Ok(Some(given))
    }

    /// All that is left.
    pub async fn all(&mut self) -> Outcome<Piece> {
        let mut all = match self.ready.take() {
            None => Piece {
                bytes: Vec::new(),
                held: self.memory.hold(),
            },
            Some((mut piece, at)) => {
                piece.bytes.drain(..at.min(piece.bytes.len()));
                piece
            }
        };
        let mut turn = 0;
        while let Some(piece) = self.next(true).await? {
            turn += self.inflate.as_ref().map_or(0, |_| piece.bytes.len());
            if all.bytes.is_empty() {
                all = piece;
            } else {
                grow(&mut all.held, piece.bytes.len())?;
                all.bytes.extend_from_slice(&piece.bytes);
            }
            if turn > TURN {
                turn = 0;
                tokio::task::yield_now().await;
            }
        }
        Ok(all)
    }

    async fn next(&mut self, all: bool) -> Outcome<Option<Piece>> {
        let piece = match self.was_compressed {
            false => self.next_raw(all).await?,
            true => self.next_inflated().await?,
        };
        if let Some(piece) = &piece {
            self.given = self.given.saturating_add(piece.bytes.len());
            if let Some(bound) = self.bound.filter(|bound| self.given > *bound) {
                self.exchange = None;
                return Err(too_long(bound));
            }
        }
        Ok(piece)
    }

    /// As it comes. At the end, and after an error, there is no exchange any more.
    async fn next_raw(&mut self, all: bool) -> Outcome<Option<Piece>> {
        let Some(mut exchange) = self.exchange.take() else {
            return Ok(None);
        };
        let piece = exchange.next(all).await?;
        match piece {
            Some(_) => self.exchange = Some(exchange),
            None => exchange.end(),
        }
        Ok(piece)
    }

    async fn next_inflated(&mut self) -> Outcome<Option<Piece>> {
        loop {
            let Some((piece, at)) = &mut self.input else {
                if let Some(piece) = self.next_raw(false).await? {
                    self.input = Some((piece, 0));
                    continue;
                }
                let Some(mut inflate) = self.inflate.take() else {
                    return Ok(None);
                };
                let last = self.work.time(|| inflate.end()).map_err(Failure::new)?;
                return match last.is_empty() {
                    true => Ok(None),
                    false => self.inflated_piece(last).map(Some),
                };
            };
            let rest = piece.bytes.get(*at..).unwrap_or_default();
            let now = rest.get(..STEP).unwrap_or(rest);
            let out = match &mut self.inflate {
                Some(inflate) => self.work.time(|| inflate.step(now)),
                None => Ok(now.to_vec()),
            };
            *at += now.len();
            if *at >= piece.bytes.len() {
                self.input = None;
            }
            let out = out.map_err(|why| {
                self.exchange = None;
                Failure::new(why)
            })?;
            if !out.is_empty() {
                return self.inflated_piece(out).map(Some);
            }
        }
    }

    fn inflated_piece(&mut self, bytes: Vec<u8>) -> Outcome<Piece> {
        let mut held = self.memory.hold();
        grow(&mut held, bytes.len())?;
        self.work.bytes = self.work.bytes.saturating_add(bytes.len() as u64);
        Ok(Piece { bytes, held })
    }
}

fn grow(held: &mut Held, more: usize) -> Outcome<()> {
    (held.grow(more)).map_err(|error| Failure::of_net(error, "the peer"))
}

fn too_long(bound: usize) -> Failure {
    Failure::new(format!(
        "the response is longer than max_body, {bound} bytes: ask for more with max_body, or read it with stream = true"
    ))
}
