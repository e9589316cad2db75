//! The error type of the embedding API.
//!
//! **Invariant:** an [`Error`] holds no pointer into any VM, so it is `Send + Sync` and outlives the VM it came from.
//!
//! What a script sees of a host function's error: its message as a string, with the position of the calling Lua code in
//! front; an [`Error::ExternalError`] (at the root of the error) instead stays the object it is: a userdata with
//! `__tostring` and `__concat`, which comes back to the host downcastable. [`Error::Terminated`] is seen by no script.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// What the embedding API returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a script was stopped without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// It used up its instructions.
    InstructionLimit,
    /// It used up its processor time.
    CpuTime,
    /// It took too long.
    WallTime,
    /// It used up its memory.
    Memory,
    /// Somebody asked for its end.
    Killed,
    /// The program that runs it ends.
    Shutdown,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StopReason::InstructionLimit => "instruction limit exceeded",
            StopReason::CpuTime => "processor time limit exceeded",
            StopReason::WallTime => "time limit exceeded",
            StopReason::Memory => "memory limit exceeded",
            StopReason::Killed => "killed",
            StopReason::Shutdown => "shut down",
        })
    }
}

/// What went wrong in Lua, or on the way to it and back.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// The source is not a Lua program.
    SyntaxError {
        /// `chunk:line: what is wrong near 'token'`.
        message: String,
        /// The error is at the end of the source: a prompt would ask for another line.
        incomplete_input: bool,
    },
    /// A script raised an error. When it left Lua the traceback is in the text, behind the message:
    /// [`Error::message`] and [`Error::traceback`] take the two apart.
    RuntimeError(String),
    /// The VM's memory limit was reached.
    MemoryError(String),
    /// The script was stopped; scripts cannot catch this.
    Terminated(StopReason),
    /// A host function's error that is not a plain message, after it has passed through Lua.
    CallbackError {
        /// Where it was raised.
        traceback: String,
        /// The host function's error.
        cause: Arc<Error>,
    },
    /// A host function was given an argument it cannot use.
    BadArgument {
        /// The function's name, if known.
        to: Option<String>,
        /// Which argument, from 1.
        pos: usize,
        /// The argument's name, if known.
        name: Option<String>,
        /// What is wrong with it.
        cause: Arc<Error>,
    },
    /// A Rust value has no Lua counterpart.
    ToLuaConversionError {
        /// The Rust type.
        from: String,
        /// The Lua type.
        to: &'static str,
        /// Why not.
        message: Option<String>,
    },
    /// A Lua value cannot be the Rust value that is wanted.
    FromLuaConversionError {
        /// The Lua type.
        from: &'static str,
        /// The Rust type, or the Lua type it stands for.
        to: String,
        /// Why not.
        message: Option<String>,
    },
    /// The coroutine is running, dead, or waits for something else than what it was given.
    CoroutineUnresumable,
    /// The userdata holds another type.
    UserDataTypeMismatch,
    /// The userdata's object was taken out.
    UserDataDestructed,
    /// The userdata is borrowed mutably.
    UserDataBorrowError,
    /// The userdata is borrowed.
    UserDataBorrowMutError,
    /// The metamethod is not for host types to define.
    MetaMethodRestricted(String),
    /// The registry key belongs to another VM.
    MismatchedRegistryKey,
    /// The value belongs to another VM, or its VM is gone.
    MismatchedLua,
    /// An error of the host's own.
    ExternalError(Arc<dyn StdError + Send + Sync>),
    /// An error and what was being done.
    WithContext {
        /// What was being done.
        context: String,
        /// The error.
        cause: Arc<Error>,
    },
}

/// What separates a message from its traceback.
pub(crate) const TRACEBACK_MARK: &str = "\nstack traceback:\n";

impl Error {
    /// A runtime error with this message.
    pub fn runtime(message: impl fmt::Display) -> Error {
        Error::RuntimeError(message.to_string())
    }

    /// Wraps an error of another library.
    ///
    /// ```
    /// use rille_lua::prelude::*;
    /// let lua = Lua::new();
    /// let open = lua.create_function(|_, ()| std::fs::read("/no/such/file").map(|_| ()).map_err(LuaError::external))?;
    /// let error = open.call::<()>(()).unwrap_err();
    /// assert_eq!(error.downcast_ref::<std::io::Error>().unwrap().kind(), std::io::ErrorKind::NotFound);
    /// # Ok::<(), LuaError>(())
    /// ```
    pub fn external(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        let error = error.into();
        match error.downcast::<Error>() {
            Ok(own) => *own,
            Err(error) => Error::ExternalError(error.into()),
        }
    }

    pub(crate) fn from_lua_conversion(
        from: &'static str,
        to: impl ToString,
        message: Option<&str>,
    ) -> Error {
        Error::FromLuaConversionError {
            from,
            to: to.to_string(),
            message: message.map(str::to_owned),
        }
    }

    pub(crate) fn at_argument(self, pos: usize) -> Error {
        match self {
            e @ (Error::BadArgument { .. } | Error::Terminated(_) | Error::MemoryError(_)) => e,
            cause => Error::BadArgument {
                to: None,
                pos,
                name: None,
                cause: Arc::new(cause),
            },
        }
    }

    /// The error under contexts, callbacks and argument positions.
    pub fn root(&self) -> &Error {
        match self {
            Error::CallbackError { cause, .. }
            | Error::BadArgument { cause, .. }
            | Error::WithContext { cause, .. } => cause.root(),
            e => e,
        }
    }

    /// The host's own error inside, if it is a `T`.
    pub fn downcast_ref<T: StdError + 'static>(&self) -> Option<&T> {
        match self.root() {
            Error::ExternalError(e) => e.downcast_ref::<T>(),
            _ => None,
        }
    }

    /// The message alone: one error, no traceback.
    pub fn message(&self) -> String {
        match self {
            Error::RuntimeError(text) | Error::MemoryError(text) => {
                split_traceback(text).0.to_owned()
            }
            Error::CallbackError { cause, .. } => cause.message(),
            Error::WithContext { context, cause } => format!("{context}: {}", cause.message()),
            e => e.to_string(),
        }
    }

    /// Where the error was raised: `stack traceback:` and a line for each function, if that is known.
    pub fn traceback(&self) -> Option<&str> {
        match self {
            Error::RuntimeError(text) | Error::MemoryError(text) => split_traceback(text).1,
            Error::CallbackError { traceback, .. } => Some(traceback),
            Error::WithContext { cause, .. } | Error::BadArgument { cause, .. } => {
                cause.traceback()
            }
            _ => None,
        }
    }

    /// Whether a limit or the host ended the script, rather than an error of its own.
    pub fn is_limit(&self) -> bool {
        matches!(self.root(), Error::Terminated(_) | Error::MemoryError(_))
    }

    /// The error with what was being done in front of it.
    pub fn context(self, context: impl fmt::Display) -> Error {
        Error::WithContext {
            context: context.to_string(),
            cause: Arc::new(self),
        }
    }

    /// The chain of errors, this one first.
    pub fn chain(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        std::iter::successors(
            Some(self as &(dyn StdError + 'static)),
            |e: &&(dyn StdError + 'static)| (*e).source(),
        )
    }
}

/// A text with a traceback behind it, taken apart.
pub(crate) fn split_traceback(text: &str) -> (&str, Option<&str>) {
    match text.rfind(TRACEBACK_MARK) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::SyntaxError { message, .. }
            | Error::RuntimeError(message)
            | Error::MemoryError(message) => f.write_str(message),
            Error::Terminated(reason) => reason.fmt(f),
            Error::CallbackError { traceback, cause } => {
                write!(f, "{}", cause.message())?;
                if traceback.is_empty() {
                    Ok(())
                } else {
                    write!(f, "\n{traceback}")
                }
            }
            Error::BadArgument {
                to,
                pos,
                name,
                cause,
            } => {
                let to = to.as_deref().unwrap_or("?");
                match name {
                    Some(name) => write!(f, "bad argument '{name}' to '{to}' ({})", Reason(cause)),
                    None => write!(f, "bad argument #{pos} to '{to}' ({})", Reason(cause)),
                }
            }
            Error::ToLuaConversionError { from, to, message } => {
                write!(f, "cannot convert {from} to a Lua {to}")?;
                message.as_ref().map_or(Ok(()), |m| write!(f, " ({m})"))
            }
            Error::FromLuaConversionError { from, to, message } => {
                write!(f, "cannot convert a Lua {from} to {to}")?;
                message.as_ref().map_or(Ok(()), |m| write!(f, " ({m})"))
            }
            Error::CoroutineUnresumable => f.write_str("the coroutine cannot be resumed"),
            Error::UserDataTypeMismatch => f.write_str("the userdata is of another type"),
            Error::UserDataDestructed => f.write_str("the userdata has been taken out or closed"),
            Error::UserDataBorrowError => f.write_str("the userdata is borrowed mutably"),
            Error::UserDataBorrowMutError => f.write_str("the userdata is borrowed"),
            Error::MetaMethodRestricted(name) => {
                write!(f, "metamethod {name} cannot be defined by a host type")
            }
            Error::MismatchedRegistryKey => f.write_str("the registry key belongs to another Lua"),
            Error::MismatchedLua => {
                f.write_str("the value belongs to another Lua, or its Lua is gone")
            }
            Error::ExternalError(e) => e.fmt(f),
            Error::WithContext { context, cause } => write!(f, "{context}: {cause}"),
        }
    }
}

/// How the cause of a bad argument reads inside the parentheses of the message.
pub(crate) struct Reason<'a>(pub(crate) &'a Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Error::FromLuaConversionError {
                message: Some(message),
                ..
            } => f.write_str(message),
            Error::FromLuaConversionError {
                from,
                to,
                message: None,
            } => write!(f, "{to} expected, got {from}"),
            e => f.write_str(&e.message()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Error::CallbackError { cause, .. }
            | Error::BadArgument { cause, .. }
            | Error::WithContext { cause, .. } => Some(&**cause),
            Error::ExternalError(e) => e.source(),
            _ => None,
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Error {
        Error::external(e)
    }
}

impl From<std::fmt::Error> for Error {
    fn from(e: std::fmt::Error) -> Error {
        Error::external(e)
    }
}

impl From<std::str::Utf8Error> for Error {
    fn from(e: std::str::Utf8Error) -> Error {
        Error::external(e)
    }
}

/// `into_lua_err` for any error.
pub trait ExternalError {
    /// The error as an [`Error::ExternalError`].
    fn into_lua_err(self) -> Error;
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> ExternalError for E {
    fn into_lua_err(self) -> Error {
        Error::external(self)
    }
}

/// `into_lua_err` for any result.
pub trait ExternalResult<T> {
    /// The result with its error as an [`Error::ExternalError`].
    fn into_lua_err(self) -> Result<T>;
}

impl<T, E: ExternalError> ExternalResult<T> for std::result::Result<T, E> {
    fn into_lua_err(self) -> Result<T> {
        self.map_err(E::into_lua_err)
    }
}

/// `context` for results.
pub trait ErrorContext<T> {
    /// The result, its error with what was being done in front of it.
    fn context<C: fmt::Display>(self, context: C) -> Result<T>;
    /// As `context`, computed only when there is an error.
    fn with_context<C: fmt::Display>(self, context: impl FnOnce(&Error) -> C) -> Result<T>;
}

impl<T> ErrorContext<T> for Result<T> {
    fn context<C: fmt::Display>(self, context: C) -> Result<T> {
        self.map_err(|e| e.context(context))
    }
    fn with_context<C: fmt::Display>(self, context: impl FnOnce(&Error) -> C) -> Result<T> {
        self.map_err(|e| {
            let context = context(&e);
            e.context(context)
        })
    }
}

const _: () = {
    const fn shared_between_threads<T: Send + Sync>() {}
    shared_between_threads::<Error>();
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_and_traceback_come_apart() {
        let e = Error::RuntimeError("x:1: boom\nstack traceback:\n\t[C]: in ?".into());
        assert_eq!(e.message(), "x:1: boom");
        assert_eq!(e.traceback(), Some("stack traceback:\n\t[C]: in ?"));
        let e = e.context("loading");
        assert_eq!(e.message(), "loading: x:1: boom");
        assert!(e.traceback().is_some());
    }

    #[test]
    fn an_own_error_is_not_wrapped_again() {
        let e = Error::external(Error::runtime("x"));
        assert!(matches!(e, Error::RuntimeError(_)));
    }
}
