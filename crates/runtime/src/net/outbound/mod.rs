//! Where scripts may connect to.
//!
//! An app's manifest says what it needs (`[outbound]`), the operator what an app may have at most (`rille serve --outbound`, [`Rules`]). Without
//! either, an app reaches the Internet at large ([`is_public`]) and nothing else: not the machine it runs on, not the networks that machine is in.
//!
//! ```text
//!  the operator denies it ----------------------------------------------> no
//!  the manifest denies it ----------------------------------------------> no
//!  a port of the server itself -- named by the operator? or by the
//!      operator's own app, when it is one for requests? -----------------> yes, or no
//!  the operator allows it, or has said `any` ----------------------------> yes
//!  the manifest of an operator's own app allows it ----------------------> yes
//!  public, not this machine, and neither of the two wants a list only ---> yes
//!  else -----------------------------------------------------------------> no
//! ```
//!
//! *The operator's own* are apps whose code the operator has put on the machine ([`Trust::Operator`]): folders named to `rille serve`. Their manifest
//! is the operator's own word. Code that came from elsewhere came with its manifest, so that one can only narrow ([`Trust::Tenant`]);
//! that is what an app is unless somebody says otherwise.
//!
//! **Invariants.** There is one way to a socket of a script, [`super::Net`], and it asks here with the very address it is about to connect to: what a name
//! meant a moment ago does not count, nor does how an address is spelt. A redirect, a proxy, a WebSocket is one more connection.

mod address;
mod own;
mod rule;

pub use address::is_public;
pub use own::{Own, Purpose, is_here};
pub use rule::Rule;

use super::NetError;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// The most entries of a list.
pub const MAX_RULES: usize = 1000;

/// Whose code an app is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// Somebody else's: what its manifest asks for is a wish.
    #[default]
    Tenant,
    /// The operator's: what its manifest says the operator says.
    Operator,
}

/// `[outbound]` of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wishes {
    /// What it needs.
    pub allow: Vec<Rule>,
    /// What it must not reach.
    pub deny: Vec<Rule>,
    /// Whether it reaches what is public without its being in `allow`.
    pub public: bool,
}

impl Default for Wishes {
    fn default() -> Wishes {
        Wishes {
            allow: Vec::new(),
            deny: Vec::new(),
            public: true,
        }
    }
}

/// What manifests may have at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Everything is open but the server's own ports.
    Any,
    /// What is public; more for the operator's own apps, when their manifests say so.
    #[default]
    Manifests,
    /// What is public.
    Public,
    /// Nothing.
    None,
}

/// What the operator says, for all apps.
#[derive(Debug, Default)]
pub struct Rules {
    /// What an app may have without being named in `allow`.
    pub mode: Mode,
    /// What every app may reach.
    pub allow: Vec<Rule>,
    /// What none may reach, whatever its manifest says.
    pub deny: Vec<Rule>,
    /// Where the server listens.
    pub own: Own,
}

impl Rules {
    /// No app is refused anything.
    pub fn any() -> Rules {
        Rules {
            mode: Mode::Any,
            ..Rules::default()
        }
    }

    /// Adds what an operator writes: a mode, `allow=RULE,...` or `deny=RULE,...`. The error says what was expected.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let list =
            |list: &str| -> Result<Vec<Rule>, String> { list.split(',').map(str::parse).collect() };
        match text.split_once('=') {
            Some(("allow", rules)) => self.allow.extend(list(rules)?),
            Some(("deny", rules)) => self.deny.extend(list(rules)?),
            _ => self.mode = text.parse()?,
        }
        match self.allow.len().max(self.deny.len()) > MAX_RULES {
            true => Err(format!("more than {MAX_RULES} entries")),
            false => Ok(()),
        }
    }
}

impl std::str::FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Mode, String> {
        Ok(match text {
            "any" => Mode::Any,
            "manifests" => Mode::Manifests,
            "public" => Mode::Public,
            "none" => Mode::None,
            _ => {
                return Err(format!(
                    "'{text}' is none of any, manifests, public, none, allow=ADDRESS,... and deny=ADDRESS,..."
                ));
            }
        })
    }
}

/// Where one app may connect to.
#[derive(Debug, Default)]
pub struct Outbound {
    rules: Arc<Rules>,
    wishes: Wishes,
    trust: Trust,
}

/// Why not.
const OPERATOR_DENIES: &str = "the operator of the server denies it";
const MANIFEST_DENIES: &str = "[outbound] in rille.toml denies it";
const OWN_PORT: &str = "it is the server itself; only its operator can allow it";
const OWN_PORT_BY_MANIFEST: &str =
    "it is the server itself: allow \"self\" under [outbound] in rille.toml";
const ALLOW_IT: &str = "allow it under [outbound] in rille.toml";
const OPERATOR_CAN: &str = "only the operator of the server can allow it (rille serve --outbound)";

impl Outbound {
    /// For an app that wishes this.
    pub fn new(rules: Arc<Rules>, wishes: Wishes, trust: Trust) -> Arc<Outbound> {
        Arc::new(Outbound {
            rules,
            wishes,
            trust,
        })
    }

    /// For whoever may connect to everything.
    pub fn any() -> Arc<Outbound> {
        Outbound::new(Arc::new(Rules::any()), Wishes::default(), Trust::Operator)
    }

    /// Whether `address` may be connected to, of which the script says `host`.
    pub fn check(&self, host: &str, address: SocketAddr) -> Result<(), NetError> {
        match self.objection(host, address)? {
            None => Ok(()),
            Some(why) => Err(NetError::Refused(host.chars().take(255).collect(), why)),
        }
    }

    fn objection(&self, host: &str, address: SocketAddr) -> Result<Option<&'static str>, NetError> {
        let allows = |rules: &[Rule]| rules.iter().any(|rule| rule.matches(host, address));
        let denies = |rules: &[Rule]| {
            rules
                .iter()
                .any(|rule| rule.matches_any_form(host, address))
        };
        if denies(&self.rules.deny) {
            return Ok(Some(OPERATOR_DENIES));
        }
        if denies(&self.wishes.deny) {
            return Ok(Some(MANIFEST_DENIES));
        }
        if let Some(purpose) = self.rules.own.purpose(address)? {
            return Ok(self.objection_to_own(purpose, address));
        }
        if allows(&self.rules.allow) || self.rules.mode == Mode::Any {
            return Ok(None);
        }
        let is_wished = allows(&self.wishes.allow);
        if is_wished && self.may_widen() {
            return Ok(None);
        }
        let is_listed = is_wished || self.wishes.public;
        if self.rules.mode == Mode::None {
            return Ok(Some(OPERATOR_CAN));
        }
        match is_public(address.ip()) && !is_here(address.ip())? {
            true if is_listed => Ok(None),
            true => Ok(Some(ALLOW_IT)),
            false if self.may_widen() => Ok(Some(ALLOW_IT)),
            false => Ok(Some(OPERATOR_CAN)),
        }
    }

    fn objection_to_own(&self, purpose: Purpose, address: SocketAddr) -> Option<&'static str> {
        let names = |rules: &[Rule]| rules.iter().any(|rule| rule.names_port(address));
        let is_exact = |rules: &[Rule]| rules.iter().any(|rule| rule.is_exactly(address));
        match purpose {
            Purpose::Admin if is_exact(&self.rules.allow) => None,
            Purpose::Admin => Some(OWN_PORT),
            Purpose::Requests if names(&self.rules.allow) => None,
            Purpose::Requests if self.may_widen() => match names(&self.wishes.allow) {
                true => None,
                false => Some(OWN_PORT_BY_MANIFEST),
            },
            Purpose::Requests => Some(OWN_PORT),
        }
    }

    /// Whether a unix socket may be connected to.
    pub fn check_unix(&self, path: &Path) -> Result<(), NetError> {
        let matches = |rules: &[Rule]| rules.iter().any(|rule| rule.matches_unix(path));
        let why = if matches(&self.rules.deny) {
            OPERATOR_DENIES
        } else if matches(&self.wishes.deny) {
            MANIFEST_DENIES
        } else if matches(&self.rules.allow)
            || self.rules.mode == Mode::Any
            || (self.may_widen() && matches(&self.wishes.allow))
        {
            return Ok(());
        } else if self.may_widen() {
            ALLOW_IT
        } else {
            OPERATOR_CAN
        };
        Err(NetError::Refused(format!("unix:{}", path.display()), why))
    }

    /// Whether the manifest can allow what is not public.
    fn may_widen(&self) -> bool {
        match self.rules.mode {
            Mode::Any => true,
            Mode::Manifests => self.trust == Trust::Operator,
            Mode::Public | Mode::None => false,
        }
    }
}

#[cfg(test)]
mod tests;
