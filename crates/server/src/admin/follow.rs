//! The lines of an app as they come: server-sent events.
//!
//! ```text
//!   id: 17                                        a line
//!   data: {"at_ms":1764300000000,"text":"..."}
//!
//!   event: lost                                   so many lines are gone, since this reader is slower than the app
//!   data: {"lines":42}
//! ```
//! **Invariant:** what waits for a reader is one piece of [`PIECE`] lines; the rest is in the app's ring or gone. It ends with the app.

use super::QUIET;
use super::logs::{Line, Lines, Some as SomeLines};
use super::wire::Body;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Lines in a piece.
const PIECE: usize = 50;

/// A line as JSON.
pub fn describe(line: &Line) -> Value {
    json!({"at_ms": line.at_ms, "text": line.text})
}

/// The last `most` lines, and then those that come.
pub fn body(lines: Arc<Lines>, most: usize) -> Body {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(feed(lines, most, sender));
    Body::Pieces(receiver)
}

async fn feed(lines: Arc<Lines>, most: usize, sender: mpsc::Sender<Bytes>) {
    let mut more = lines.follow();
    let last = lines.last(most);
    // Where there is none yet, what has been there is skipped all the same.
    let mut next = match last.lines.first() {
        Some(first) => first.number,
        None => *more.borrow_and_update(),
    };
    // So that the head goes out.
    if sender
        .send(Bytes::from_static(b": following\n\n"))
        .await
        .is_err()
    {
        return;
    }
    loop {
        more.mark_unchanged();
        let some = lines.from(next, PIECE);
        if some.lines.is_empty() && some.lost == 0 {
            if lines.is_closed() {
                return;
            }
            tokio::select! {
                changed = more.changed() => if changed.is_err() { return },
                () = sender.closed() => return,
                () = tokio::time::sleep(QUIET) => {
                    if sender.send(Bytes::from_static(b":\n\n")).await.is_err() {
                        return;
                    }
                }
            }
            continue;
        }
        next = match some.lines.last() {
            Some(last) => last.number + 1,
            None => next + some.lost,
        };
        if sender.send(events(&some)).await.is_err() {
            return;
        }
    }
}

fn events(some: &SomeLines) -> Bytes {
    let mut text = String::new();
    if some.lost > 0 {
        let lost = json!({"lines": some.lost});
        text.push_str(&format!("event: lost\ndata: {lost}\n\n"));
    }
    for line in &some.lines {
        text.push_str(&format!(
            "id: {}\ndata: {}\n\n",
            line.number,
            describe(line)
        ));
    }
    text.into()
}
