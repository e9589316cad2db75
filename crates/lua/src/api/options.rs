//! How a VM is set up.

use crate::dialect::Dialect;
use crate::host::{Host, StdHost};
use std::rc::Rc;

/// Which libraries a VM has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// All of the standard library, as far as the [`Host`] lets it reach outside.
    #[default]
    Full,
    /// What an untrusted script may have: nothing that reaches the host, no bytecode, a reduced `debug`.
    Sandbox,
}

/// How a VM is set up.
///
/// ```
/// use rille_lua::{Lua, LuaOptions, Profile};
/// let lua = Lua::with_options(LuaOptions { profile: Profile::Sandbox, memory_limit: 1 << 20, ..LuaOptions::default() })?;
/// assert!(lua.load("return os.execute == nil").eval::<bool>()?);
/// # Ok::<(), rille_lua::Error>(())
/// ```
#[derive(Clone)]
pub struct LuaOptions {
    /// Which libraries there are.
    pub profile: Profile,
    /// The version of the language.
    pub dialect: Dialect,
    /// Refuse what the reference refuses (yields inside a sort comparator, ...) and keep the identity of captured
    /// variables: for the reference's own test suite.
    pub strict: bool,
    /// The most bytes the VM's heap may take; `usize::MAX` for no limit.
    pub memory_limit: usize,
    /// What the libraries get from outside.
    pub host: Rc<dyn Host>,
    /// Give every coroutine that the host starts its own globals over the app's (see `Thread::set_globals`).
    pub layered_globals: bool,
    /// Whether the libraries look at environment variables for their settings (`LUA_PATH`); `lua -E` says no.
    pub use_environment: bool,
}

impl Default for LuaOptions {
    fn default() -> LuaOptions {
        LuaOptions {
            profile: Profile::Full,
            dialect: Dialect::default(),
            strict: false,
            memory_limit: usize::MAX,
            host: Rc::new(StdHost::default()),
            layered_globals: false,
            use_environment: true,
        }
    }
}

impl std::fmt::Debug for LuaOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LuaOptions")
            .field("profile", &self.profile)
            .field("dialect", &self.dialect)
            .field("strict", &self.strict)
            .field("memory_limit", &self.memory_limit)
            .field("layered_globals", &self.layered_globals)
            .field("use_environment", &self.use_environment)
            .finish_non_exhaustive()
    }
}
