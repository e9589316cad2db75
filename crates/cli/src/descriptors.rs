//! How many files and sockets the process may have open, and how many of them are for connections.
//!
//! **Invariant:** an eighth of them is kept for what scripts, files and the workers themselves need, so that a flood of connections is held off
//! before these fail.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The most connections of a worker, however many descriptors there are: each takes memory of its own.
const MOST_CONNECTIONS: u64 = 65_536;
/// The least: with so few descriptors something is going to fail in any case.
const LEAST_CONNECTIONS: u64 = 16;

/// Raises the limit that is in force (often 1,024) to the one that may be asked for; the limit now.
pub fn raise_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return LEAST_CONNECTIONS;
    };
    match soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        true => hard,
        false => soft,
    }
}

/// How many connections a worker takes at once, if the user has not said it.
pub fn connections(limit: u64) -> u64 {
    (limit - limit / 8).clamp(LEAST_CONNECTIONS, MOST_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_kept() {
        assert_eq!(connections(20_000), 17_500);
        assert_eq!(connections(1024), 896);
        assert_eq!(connections(8), 16);
        assert_eq!(connections(u64::MAX), 65_536);
    }

    #[test]
    fn the_limit_is_the_hard_one_in_the_end() {
        let limit = raise_limit();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE), Ok((limit, limit)));
    }
}
