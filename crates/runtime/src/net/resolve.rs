//! Names to addresses, by the system's rules: `/etc/hosts`, then what the system asks.
//!
//! The system's function blocks, so it runs on a thread of tokio's. What it says is kept for a while; whoever asks for a name that is being asked for
//! waits for the same answer.
//!
//! **Invariants.** At most [`MAX_NAMES`] names are kept, at most [`MAX_LOOKUPS`] are asked for at a time; a look-up goes on though everybody who wanted
//! to know has gone, and its answer is kept.

use super::NetError;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

/// How many names are kept.
pub const MAX_NAMES: usize = 1024;
/// How many names are asked for at a time.
pub const MAX_LOOKUPS: usize = 16;
/// How many addresses of a name are kept.
pub const MAX_ADDRESSES: usize = 16;
/// For how long addresses are kept.
pub const GOOD: Duration = Duration::from_secs(30);
/// For how long it is kept that a name has none.
pub const BAD: Duration = Duration::from_secs(5);
/// The longest name.
const MAX_NAME: usize = 255;

const NOT_FOUND: &str = "3: Host not found";
const FAILURE: &str = "2: Server failure";

/// The addresses of a name, at least one, or why there are none.
pub type Answer = Result<Rc<[IpAddr]>, &'static str>;
type Lookup = dyn Fn(String) -> Pin<Box<dyn Future<Output = Answer>>>;

struct Entry {
    answer: Answer,
    until: Instant,
    used: Cell<u64>,
}

/// Resolves names, and remembers.
pub struct Resolver {
    known: RefCell<HashMap<String, Entry>>,
    asked: RefCell<HashMap<String, watch::Receiver<Option<Answer>>>>,
    slots: Semaphore,
    clock: Cell<u64>,
    lookup: Box<Lookup>,
}

impl Resolver {
    /// Asks the system.
    pub fn system() -> Rc<Resolver> {
        Resolver::new(|name| {
            Box::pin(async move {
                let found = tokio::task::spawn_blocking(move || ask_system(&name)).await;
                let found = found.unwrap_or(Err(FAILURE))?;
                Ok(found.into())
            })
        })
    }

    /// Asks `lookup`.
    pub fn new(
        lookup: impl Fn(String) -> Pin<Box<dyn Future<Output = Answer>>> + 'static,
    ) -> Rc<Resolver> {
        Rc::new(Resolver {
            known: RefCell::default(),
            asked: RefCell::default(),
            slots: Semaphore::new(MAX_LOOKUPS),
            clock: Cell::new(0),
            lookup: Box::new(lookup),
        })
    }

    /// The addresses of a host, in the order in which to try them. An address is its own.
    pub async fn resolve(self: &Rc<Self>, host: &str) -> Result<Rc<[IpAddr]>, NetError> {
        if let Some(address) = literal(host) {
            return Ok(Rc::new([address]));
        }
        if host.is_empty() || host.len() > MAX_NAME || !is_name(host) {
            return Err(NetError::Resolve(shown(host), NOT_FOUND));
        }
        let name = host.to_ascii_lowercase();
        let answer = match self.remembered(&name) {
            Some(answer) => answer,
            None => self.ask(name).await,
        };
        answer.map_err(|why| NetError::Resolve(host.to_owned(), why))
    }

    fn remembered(&self, name: &str) -> Option<Answer> {
        let known = self.known.borrow();
        let entry = known.get(name)?;
        if entry.until <= Instant::now() {
            return None;
        }
        entry.used.set(self.tick());
        Some(entry.answer.clone())
    }

    fn tick(&self) -> u64 {
        self.clock.set(self.clock.get() + 1);
        self.clock.get()
    }

    async fn ask(self: &Rc<Self>, name: String) -> Answer {
        let mut answer = self.asked_for(name.clone());
        if let Ok(answer) = answer.wait_for(Option::is_some).await {
            return answer.clone().unwrap_or(Err(FAILURE));
        }
        // Whoever asked the system has gone without an answer: the next asks again.
        self.asked.borrow_mut().remove(&name);
        Err(FAILURE)
    }

    /// Where the answer is going to be.
    fn asked_for(self: &Rc<Self>, name: String) -> watch::Receiver<Option<Answer>> {
        if let Some(asked) = self.asked.borrow().get(&name) {
            return asked.clone();
        }
        let (sender, receiver) = watch::channel(None);
        (self.asked.borrow_mut()).insert(name.clone(), receiver.clone());
        let this = self.clone();
        tokio::task::spawn_local(async move {
            let answer = {
                let _slot = this.slots.acquire().await;
                (this.lookup)(name.clone()).await
            };
            this.remember(name.clone(), answer.clone());
            this.asked.borrow_mut().remove(&name);
            sender.send_replace(Some(answer));
        });
        receiver
    }

    fn remember(&self, name: String, answer: Answer) {
        let ttl = if answer.is_ok() { GOOD } else { BAD };
        let entry = Entry {
            answer,
            until: Instant::now() + ttl,
            used: Cell::new(self.tick()),
        };
        let mut known = self.known.borrow_mut();
        if known.len() >= MAX_NAMES && !known.contains_key(&name) {
            let oldest = (known.iter())
                .min_by_key(|(_, entry)| entry.used.get())
                .map(|(name, _)| name.clone());
            if let Some(oldest) = oldest {
                known.remove(&oldest);
            }
        }
        known.insert(name, entry);
    }
}

/// An address as people write it, IPv6 with or without brackets.
pub fn literal(host: &str) -> Option<IpAddr> {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host).parse().ok()
}

/// Whether a host is a text that the system may be asked for.
fn is_name(host: &str) -> bool {
    host.bytes().all(|byte| byte.is_ascii_graphic()) && !host.contains(['/', ':', '[', ']'])
}

/// As much of what a script calls a host as a message needs.
fn shown(host: &str) -> String {
    host.chars().take(MAX_NAME).collect()
}

fn ask_system(name: &str) -> Result<Vec<IpAddr>, &'static str> {
    let found = (name, 0)
        .to_socket_addrs()
        .map_err(|error| reason(&error))?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.map(|address| address.ip()) {
        if addresses.len() < MAX_ADDRESSES && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(NOT_FOUND);
    }
    Ok(addresses)
}

/// The system's reason as nginx numbers it. There is nothing but its text to go by.
fn reason(error: &io::Error) -> &'static str {
    let text = error.to_string();
    match text.contains("emporary failure") || text.contains("ystem error") {
        true => FAILURE,
        false => NOT_FOUND,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::run;

    #[test]
    fn addresses_are_their_own() {
        assert_eq!(literal("127.0.0.1"), Some([127, 0, 0, 1].into()));
        assert_eq!(literal("[::1]"), literal("::1"));
        assert_eq!(literal("localhost"), None);
        assert_eq!(literal("[::1"), None);
    }

    #[test]
    fn concurrent_askers_share_a_look_up_and_its_answer_is_kept() {
        run(async {
            let count = Rc::new(Cell::new(0));
            let asked = count.clone();
            let resolver = Resolver::new(move |name| {
                asked.set(asked.get() + 1);
                Box::pin(async move {
                    tokio::task::yield_now().await;
                    match name.as_str() {
                        "good" => Ok(Rc::from([IpAddr::from([10, 0, 0, 1])])),
                        _ => Err(NOT_FOUND),
                    }
                })
            });
            let (a, b) = tokio::join!(resolver.resolve("good"), resolver.resolve("GOOD"));
            assert_eq!(a, b);
            assert_eq!(a.unwrap()[0], IpAddr::from([10, 0, 0, 1]));
            assert_eq!(count.get(), 1);
            let bad = resolver.resolve("bad").await.unwrap_err();
            assert_eq!(
                bad.to_string(),
                "bad could not be resolved (3: Host not found)"
            );
            resolver.resolve("bad").await.unwrap_err();
            assert_eq!(count.get(), 2);
            let strange = resolver.resolve("a b").await.unwrap_err();
            assert_eq!(
                strange.to_string(),
                "a b could not be resolved (3: Host not found)"
            );
            assert_eq!(count.get(), 2);
        });
    }

    #[test]
    fn a_look_up_outlives_who_asked_and_answers_expire() {
        run(async {
            let count = Rc::new(Cell::new(0));
            let asked = count.clone();
            let resolver = Resolver::new(move |_| {
                asked.set(asked.get() + 1);
                Box::pin(async { Ok(Rc::from([IpAddr::from([10, 0, 0, 1])])) })
            });
            drop(resolver.asked_for("name".to_owned()));
            resolver.resolve("name").await.unwrap();
            assert_eq!(count.get(), 1);
            if let Some(entry) = resolver.known.borrow_mut().get_mut("name") {
                entry.until = Instant::now();
            }
            resolver.resolve("name").await.unwrap();
            assert_eq!(count.get(), 2);
        });
    }

    #[test]
    fn a_look_up_that_went_without_an_answer_can_be_repeated() {
        let count = Rc::new(Cell::new(0));
        let asked = count.clone();
        let resolver = Resolver::new(move |_| {
            asked.set(asked.get() + 1);
            let lasts = asked.get() == 1;
            Box::pin(async move {
                if lasts {
                    std::future::pending::<()>().await;
                }
                Ok(Rc::from([IpAddr::from([10, 0, 0, 1])]))
            })
        });
        let first = resolver.clone();
        run(async move {
            tokio::task::spawn_local(async move { first.resolve("name").await });
            tokio::task::yield_now().await;
        });
        run(async move {
            assert!(resolver.resolve("name").await.is_err());
            assert!(resolver.resolve("name").await.is_ok());
        });
        assert_eq!(count.get(), 2);
    }

    #[test]
    fn the_name_that_was_not_used_longest_makes_room() {
        run(async {
            let resolver =
                Resolver::new(|_| Box::pin(async { Ok(Rc::from([IpAddr::from([10, 0, 0, 1])])) }));
            for at in 0..MAX_NAMES {
                resolver.resolve(&format!("n{at}")).await.unwrap();
            }
            resolver.resolve("n0").await.unwrap();
            resolver.resolve("one-more").await.unwrap();
            assert_eq!(resolver.known.borrow().len(), MAX_NAMES);
            assert!(resolver.remembered("n0").is_some());
            assert!(resolver.remembered("n1").is_none());
        });
    }

    #[test]
    fn the_system_knows_localhost() {
        run(async {
            let found = Resolver::system().resolve("localhost").await.unwrap();
            assert!(found.iter().all(IpAddr::is_loopback));
        });
    }
}
