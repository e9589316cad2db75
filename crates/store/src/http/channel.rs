//! A body on its way from the network to a thread that waits.
//!
//! **Invariant:** whoever reads gets the end of the body only after all of it has come; an error on the way is what reading ends with.

use super::Answer;
use crate::error::{Error, ErrorKind};
use bytes::{Buf, Bytes};
use std::io::{self, Read};
use tokio::sync::mpsc;

/// Pieces on their way; each is what one read of the connection gave.
const PIECES: usize = 8;

enum Item {
    Piece(Bytes),
    End,
    Failed(Error),
}

/// The end that takes the body.
pub(crate) struct Sender(mpsc::Sender<Item>);

/// The end that reads it, on a thread that may wait.
pub(crate) struct Receiver {
    items: mpsc::Receiver<Item>,
    piece: Bytes,
    has_ended: bool,
}

/// A way for one body.
pub(crate) fn channel() -> (Sender, Receiver) {
    let (sender, items) = mpsc::channel(PIECES);
    let receiver = Receiver {
        items,
        piece: Bytes::new(),
        has_ended: false,
    };
    (Sender(sender), receiver)
}

impl Sender {
    /// Sends a body of at most `most` bytes, until its end or until nobody wants it any more.
    pub async fn send_all(self, answer: &mut Answer, most: u64) {
        let mut sum: u64 = 0;
        loop {
            let item = match answer.piece().await {
                Ok(None) => Item::End,
                Err(error) => Item::Failed(error),
                Ok(Some(piece)) => {
                    sum = sum.saturating_add(piece.len() as u64);
                    match sum > most {
                        true => Item::Failed(Error::new(
                            ErrorKind::TooLarge,
                            format!(
                                "{} is larger than {most} bytes; use a smaller repository",
                                answer.about()
                            ),
                        )),
                        false => Item::Piece(piece),
                    }
                }
            };
            let is_last = !matches!(item, Item::Piece(_));
            if self.0.send(item).await.is_err() || is_last {
                return;
            }
        }
    }
}

impl Read for Receiver {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.has_ended {
            match self.items.blocking_recv() {
                Some(Item::Piece(piece)) => self.piece = piece,
                Some(Item::End) => self.has_ended = true,
                Some(Item::Failed(error)) => return Err(error.into_io()),
                None => return Err(Error::new(ErrorKind::Cancelled, "cancelled").into_io()),
            }
        }
        let count = buffer.len().min(self.piece.len());
        let (into, _) = buffer.split_at_mut(count);
        self.piece.copy_to_slice(into);
        Ok(count)
    }
}
