//! `resty.lock`: locks that all workers see, over a dictionary of `ngx.shared`.
//!
//! The waiting is in Lua. What is held is a [`Hold`], so that a lock whose object is collected, or whose VM goes, is given
//! back, as there.
//!
//! **Invariant:** a `Hold` deletes its key only while it is its own: not after it has expired, when somebody else may have
//! taken it.

use crate::ngx::{Key, Zone, millis};
use rille_lua::{Error, Lua, Result, Table, UserData, UserDataMethods, UserDataRef, Value};
use rille_runtime::dict::{Dict, DictError, Given, Mode, now_ms};
use std::sync::Arc;

const SOURCE: &str = include_str!("lock.lua");

/// The module.
pub(super) fn module(lua: &Lua) -> Result<Value> {
    let globals = lua.globals();
    let tools = lua.create_table()?;
    let ngx: Table = globals.raw_get("ngx")?;
    tools.raw_set("shared", ngx.raw_get::<Value>("shared")?)?;
    tools.raw_set("hold", lua.create_function(hold)?)?;
    let math: Table = globals.raw_get("math")?;
    for name in ["min", "max"] {
        tools.raw_set(name, math.raw_get::<Value>(name)?)?;
    }
    for name in ["sleep", "setmetatable"] {
        tools.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    let source = lua.load(SOURCE).set_name("=resty.lock");
    let module: Table = source.into_function()?.call(tools)?;
    module.freeze()?;
    Ok(Value::Table(module))
}

fn hold(_: &Lua, dict: Table) -> Result<Hold> {
    let zone: UserDataRef<Zone> = dict.raw_get(1)?;
    Ok(Hold {
        dict: zone.0.clone(),
        held: None,
    })
}

/// A lock that may be held.
struct Hold {
    dict: Arc<Dict>,
    held: Option<Held>,
}

struct Held {
    key: Box<[u8]>,
    /// When it expires, in ms; `None` is never.
    until: Option<u64>,
}

impl Hold {
    fn take(&mut self, key: &[u8], ttl: u64, now: u64) -> Result<(), DictError> {
        let value = Given::Boolean(true);
        self.dict.store(Mode::Add, key, value, ttl, 0, now).0?;
        self.held = Some(Held {
            key: key.into(),
            until: until(ttl, now),
        });
        Ok(())
    }

    fn extend(&mut self, ttl: u64, now: u64) -> Result<(), DictError> {
        if let Some(held) = &mut self.held {
            let value = Given::Boolean(true);
            self.dict
                .store(Mode::Replace, &held.key, value, ttl, 0, now)
                .0?;
            held.until = until(ttl, now);
        }
        Ok(())
    }

    /// Whether there was one.
    fn release(&mut self, now: u64) -> bool {
        let Some(held) = self.held.take() else {
            return false;
        };
        if held.until.is_none_or(|until| now < until) {
            // The key was good enough to be added.
            let _ = self.dict.delete(&held.key, now);
        }
        true
    }
}

fn until(ttl: u64, now: u64) -> Option<u64> {
    (ttl > 0).then(|| now.saturating_add(ttl))
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release(now_ms());
    }
}

impl UserData for Hold {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("is_held", |_, this, ()| Ok(this.held.is_some()));
        methods.add_method_mut("take", |lua, this, (key, seconds): (Value, f64)| {
            let Some(key) = Key::of(lua, key)? else {
                return Ok(Some("nil key".to_owned()));
            };
            let ttl = check_ttl(seconds)?;
            Ok(message(this.take(&key.bytes(), ttl, now_ms())))
        });
        methods.add_method_mut("extend", |_, this, seconds: f64| {
            let ttl = check_ttl(seconds)?;
            Ok(message(this.extend(ttl, now_ms())))
        });
        methods.add_method_mut("release", |_, this, ()| Ok(this.release(now_ms())));
    }
}

fn check_ttl(seconds: f64) -> Result<u64> {
    if seconds < 0.0 {
        return Err(Error::runtime("bad \"exptime\" argument"));
    }
    Ok(millis(seconds))
}

/// The error, if it is one.
fn message(result: Result<(), DictError>) -> Option<String> {
    result.err().map(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(dict: &Arc<Dict>) -> Hold {
        Hold {
            dict: dict.clone(),
            held: None,
        }
    }

    #[test]
    fn what_has_expired_is_not_given_back() {
        let dict = Arc::new(Dict::new(1 << 16));
        let (mut first, mut second) = (hold(&dict), hold(&dict));
        assert_eq!(first.take(b"k", 10, 1000), Ok(()));
        assert_eq!(second.take(b"k", 10, 1009), Err(DictError::Exists));
        assert_eq!(second.take(b"k", 10, 1010), Ok(()));
        assert!(first.release(1011));
        assert!(!first.release(1011));
        assert_eq!(first.take(b"k", 10, 1012), Err(DictError::Exists));
        assert_eq!(second.extend(10, 1019), Ok(()));
        assert_eq!(first.take(b"k", 10, 1028), Err(DictError::Exists));
        assert!(second.release(1028));
        assert_eq!(first.take(b"k", 0, 1028), Ok(()));
        assert_eq!(second.take(b"k", 0, u64::MAX), Err(DictError::Exists));
        drop(first);
        assert_eq!(second.take(b"k", 0, 1029), Ok(()));
    }
}
