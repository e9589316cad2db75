//! PBKDF2 (RFC 8018), in steps: as many rounds as take a fraction of a millisecond, between which the script can be preempted.
//!
//! **Invariant:** a derivation makes at most [`MAX_BYTES`] and takes at most [`MAX_ROUNDS`] rounds for each digest's length of them.

use crate::text::Text;
use hmac::{Hmac, KeyInit, Mac};
use rille_lua::{Lua, LuaString, Result, Table, UserData, UserDataRefMut, Value};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

const MAX_BYTES: usize = 1024;
const MAX_ROUNDS: u32 = 10_000_000;
/// Rounds of a step.
const STEP: u32 = 500;
/// Fuel of a round: two blocks of a digest.
const ROUND_FUEL: u64 = 150;

/// A derivation under way, whatever its digest.
trait Derive {
    /// Does one step; the key when it is whole.
    fn step(&mut self) -> Option<Vec<u8>>;
}

struct Running<M> {
    keyed: M,
    salt: Vec<u8>,
    rounds: u32,
    bytes: usize,
    key: Vec<u8>,
    /// The block under way: what was made last, what all of them are together, and how many there were.
    last: Vec<u8>,
    sum: Vec<u8>,
    done: u32,
}

impl<M: Mac + Clone> Running<M> {
    fn keyed(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut keyed = self.keyed.clone();
        for part in parts {
            keyed.update(part);
        }
        keyed.finalize().into_bytes().to_vec()
    }
}

impl<M: Mac + Clone> Derive for Running<M> {
    fn step(&mut self) -> Option<Vec<u8>> {
        for _ in 0..STEP {
            if self.done == 0 {
                let number = (self.key.len() / M::output_size()) as u32 + 1;
                self.last = self.keyed(&[&self.salt, &number.to_be_bytes()]);
                self.sum = self.last.clone();
            } else {
                self.last = self.keyed(&[&self.last]);
                for (sum, last) in self.sum.iter_mut().zip(&self.last) {
                    *sum ^= last;
                }
            }
            self.done += 1;
            if self.done == self.rounds {
                self.done = 0;
                self.key.extend_from_slice(&self.sum);
                if self.key.len() >= self.bytes {
                    self.key.truncate(self.bytes);
                    return Some(std::mem::take(&mut self.key));
                }
            }
        }
        None
    }
}

fn start<M: Mac + Clone + KeyInit + 'static>(
    password: &[u8],
    salt: &[u8],
    rounds: u32,
    bytes: usize,
) -> Option<Box<dyn Derive>> {
    Some(Box::new(Running {
        keyed: <M as KeyInit>::new_from_slice(password).ok()?,
        salt: salt.to_vec(),
        rounds,
        bytes,
        key: Vec::new(),
        last: Vec::new(),
        sum: Vec::new(),
        done: 0,
    }))
}

struct Object(Box<dyn Derive>);

impl UserData for Object {}

/// Adds `pbkdf2(digest, password, salt, rounds, bytes)`, a derivation, or nil; and `pbkdf2_step(derivation)`, the key or nil.
pub(super) fn install(lua: &Lua, tools: &Table) -> Result<()> {
    let begin = |lua: &Lua, given: (LuaString, Text, Text, i64, i64)| {
        let (digest, password, salt, rounds, bytes) = given;
        let rounds = u32::try_from(rounds)
            .ok()
            .filter(|n| (1..=MAX_ROUNDS).contains(n));
        let bytes = usize::try_from(bytes)
            .ok()
            .filter(|n| (1..=MAX_BYTES).contains(n));
        let (Some(rounds), Some(bytes)) = (rounds, bytes) else {
            return Ok(Value::Nil);
        };
        // The salt is hashed once for each block of the key.
        lua.charge_fuel(2 * (password.len() + salt.len()) as u64);
        if salt.len() > MAX_BYTES {
            return Ok(Value::Nil);
        }
        let (password, salt) = (password.as_bytes(), salt.as_bytes());
        let derivation = match &digest.as_bytes()[..] {
            b"sha1" => start::<Hmac<Sha1>>(&password, &salt, rounds, bytes),
            b"sha256" => start::<Hmac<Sha256>>(&password, &salt, rounds, bytes),
            b"sha384" => start::<Hmac<Sha384>>(&password, &salt, rounds, bytes),
            b"sha512" => start::<Hmac<Sha512>>(&password, &salt, rounds, bytes),
            _ => None,
        };
        match derivation {
            // The states of a digest, the salt, the key.
            Some(derivation) => super::charged(lua, Object(derivation), 2048 + 2 * MAX_BYTES),
            None => Ok(Value::Nil),
        }
    };
    tools.raw_set("pbkdf2", lua.create_function(begin)?)?;
    let step = |lua: &Lua, mut derivation: UserDataRefMut<Object>| {
        lua.charge_fuel(u64::from(STEP) * ROUND_FUEL);
        let key = derivation.0.step();
        key.map(|key| lua.create_string(key)).transpose()
    };
    tools.raw_set("pbkdf2_step", lua.create_function(step)?)
}
