//! Loading source: `lua.load(...)` and compiled chunks.

use super::convert::{FromLuaMulti, IntoLuaMulti};
use super::error::{Error, Result};
use super::function::Function;
use super::state::Lua;
use super::table::Table;
use super::thread::AsyncCall;
use crate::chunk::Chunk;
use crate::compiler::{self, CompileError, Options};
use crate::dialect::Dialect;
use crate::function::LuaClosure;
use crate::heap::Gc;
use crate::value::Val;
use crate::vm::Vm;
use crate::vm::load::LoadError;
use std::borrow::Cow;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What can be loaded: text, bytes, a file by its path.
pub trait AsChunk {
    /// The chunk's name, if it has one of its own.
    fn chunk_name(&self) -> Option<String> {
        None
    }
    /// The source.
    fn source<'a>(&'a self) -> Result<Cow<'a, [u8]>>;
}

macro_rules! byte_chunks {
    ($($type:ty)*) => {$(
        impl AsChunk for $type {
            fn source<'a>(&'a self) -> Result<Cow<'a, [u8]>> {
                let bytes: &[u8] = self.as_ref();
                Ok(Cow::Borrowed(bytes))
            }
        }
    )*};
}
byte_chunks! { &str String &String &[u8] Vec<u8> &Vec<u8> }

impl AsChunk for Cow<'_, str> {
    fn source<'a>(&'a self) -> Result<Cow<'a, [u8]>> {
        Ok(Cow::Borrowed(self.as_bytes()))
    }
}

impl<const N: usize> AsChunk for &[u8; N] {
    fn source<'a>(&'a self) -> Result<Cow<'a, [u8]>> {
        Ok(Cow::Borrowed(self.as_slice()))
    }
}

impl AsChunk for &Path {
    fn chunk_name(&self) -> Option<String> {
        Some(format!("@{}", self.display()))
    }
    fn source<'a>(&'a self) -> Result<Cow<'a, [u8]>> {
        let text = std::fs::read(self)
            .map_err(|e| Error::external(e).context(format!("cannot read {}", self.display())))?;
        Ok(Cow::Owned(skip_first_comment(text)))
    }
}
impl AsChunk for PathBuf {
    fn chunk_name(&self) -> Option<String> {
        self.as_path().chunk_name()
    }
    fn source<'a>(&'a self) -> Result<Cow<'a, [u8]>> {
        Ok(Cow::Owned(self.as_path().source()?.into_owned()))
    }
}

/// A file's source without byte order mark and first line that begins with `#` (whose line end stays, for the line numbers,
/// unless a binary chunk follows).
pub fn skip_first_comment(mut text: Vec<u8>) -> Vec<u8> {
    let kept = crate::stdlib::load::skip_first_line(&text).len();
    text.drain(..text.len() - kept);
    text
}

/// How a chunk is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkMode {
    /// As source.
    Text,
    /// Compiled (`string.dump`). Only a VM whose host gives full access takes it: a binary chunk can do anything.
    Binary,
}

/// A chunk about to be loaded.
///
/// ```
/// use rille_lua::prelude::*;
/// let lua = Lua::new();
/// let environment = lua.create_table()?;
/// environment.set("x", 20)?;
/// let n: i64 = lua.load("return x + ...").set_name("=sum").set_environment(environment).call(22)?;
/// assert_eq!(n, 42);
/// let error = lua.load("x = = 1").set_name("=oops").exec().unwrap_err();
/// assert_eq!(error.to_string(), "oops:1: unexpected symbol near '='");
/// # Ok::<(), LuaError>(())
/// ```
#[must_use = "a chunk does nothing until it is run"]
pub struct ChunkBuilder<'a> {
    lua: Lua,
    source: Result<Cow<'a, [u8]>>,
    name: String,
    environment: Option<Table>,
    mode: ChunkMode,
}

impl ChunkBuilder<'_> {
    /// Sets the name that messages show: `@file`, `=name`, or the source itself.
    pub fn set_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Sets the table in which the chunk finds its globals.
    pub fn set_environment(mut self, environment: Table) -> Self {
        self.environment = Some(environment);
        self
    }
    /// Sets how the chunk is given.
    pub fn set_mode(mut self, mode: ChunkMode) -> Self {
        self.mode = mode;
        self
    }

    /// Runs the chunk.
    pub fn exec(self) -> Result<()> {
        self.into_function()?.call(())
    }
    /// Evaluates the chunk: an expression, or statements that return something.
    pub fn eval<R: FromLuaMulti>(self) -> Result<R> {
        self.into_expression()?.call(())
    }
    /// Runs the chunk with arguments, which it finds in `...`.
    pub fn call<R: FromLuaMulti>(self, args: impl IntoLuaMulti) -> Result<R> {
        self.into_function()?.call(args)
    }
    /// As `exec`, in a coroutine that waits where async functions of the host do.
    pub fn exec_async(self) -> AsyncCall<()> {
        self.call_async(())
    }
    /// As `eval`, in a coroutine.
    pub fn eval_async<R: FromLuaMulti>(self) -> AsyncCall<R> {
        match self.into_expression() {
            Ok(f) => f.call_async(()),
            Err(e) => AsyncCall::failed(e),
        }
    }
    /// As `call`, in a coroutine.
    pub fn call_async<R: FromLuaMulti>(self, args: impl IntoLuaMulti) -> AsyncCall<R> {
        match self.into_function() {
            Ok(f) => f.call_async(args),
            Err(e) => AsyncCall::failed(e),
        }
    }

    /// Compiles the chunk.
    pub fn into_function(self) -> Result<Function> {
        let source = self.source?;
        load(
            &self.lua,
            &source,
            &self.name,
            self.environment.as_ref(),
            self.mode,
        )
    }

    fn into_expression(self) -> Result<Function> {
        let source = self.source?;
        let mut expression = b"return ".to_vec();
        expression.extend_from_slice(&source);
        match load(
            &self.lua,
            &expression,
            &self.name,
            self.environment.as_ref(),
            self.mode,
        ) {
            Err(Error::SyntaxError { .. }) => load(
                &self.lua,
                &source,
                &self.name,
                self.environment.as_ref(),
                self.mode,
            ),
            loaded => loaded,
        }
    }
}

fn load(
    lua: &Lua,
    source: &[u8],
    name: &str,
    environment: Option<&Table>,
    mode: ChunkMode,
) -> Result<Function> {
    let environment = match environment {
        Some(t) => Some(lua.own(&t.0)?),
        None => None,
    };
    lua.enter(|vm| {
        let letter: &[u8] = if mode == ChunkMode::Binary {
            b"b"
        } else {
            b"t"
        };
        let f = vm
            .load_any(source, name.as_bytes(), letter)
            .map_err(|e| match e {
                LoadError::Refused {
                    message,
                    incomplete,
                } => Error::SyntaxError {
                    message: String::from_utf8_lossy(&message).into_owned(),
                    incomplete_input: incomplete,
                },
                LoadError::Thrown(thrown) => lua.caught(vm, thrown),
            })?;
        Ok(lua.main_function(vm, f, environment))
    })?
}

fn compile_with(source: &[u8], name: &[u8], options: &Options) -> Result<Arc<Chunk>> {
    compiler::compile(source, name, options, &mut compiler::Unmetered).map_err(|e| match e {
        CompileError::Syntax {
            message,
            incomplete,
        } => Error::SyntaxError {
            message: String::from_utf8_lossy(&message).into_owned(),
            incomplete_input: incomplete,
        },
        CompileError::Stopped => Error::MemoryError("not enough memory".to_owned()),
    })
}

/// Compiles a source text to a chunk that any number of VMs, on any thread, can load ([`Lua::load_chunk`]).
///
/// ```
/// use rille_lua::Lua;
/// let chunk = rille_lua::compile("return 6 * ...", "=six")?;
/// let (a, b) = (Lua::new(), Lua::new());
/// assert_eq!(a.load_chunk(&chunk)?.call::<i64>(7)?, 42);
/// assert_eq!(b.load_chunk(&chunk)?.call::<i64>(8)?, 48);
/// # Ok::<(), rille_lua::Error>(())
/// ```
pub fn compile(source: impl AsRef<[u8]>, chunk_name: impl AsRef<[u8]>) -> Result<Arc<Chunk>> {
    compile_as(source, chunk_name, Dialect::default())
}

/// As [`compile`], for VMs of a dialect.
pub fn compile_as(
    source: impl AsRef<[u8]>,
    chunk_name: impl AsRef<[u8]>,
    dialect: Dialect,
) -> Result<Arc<Chunk>> {
    let options = Options {
        by_reference_captures: false,
        dialect,
    };
    compile_with(source.as_ref(), chunk_name.as_ref(), &options)
}

/// As [`compile_as`], for VMs with the `strict` option: captured variables keep their identity.
pub fn compile_strict(
    source: impl AsRef<[u8]>,
    chunk_name: impl AsRef<[u8]>,
    dialect: Dialect,
) -> Result<Arc<Chunk>> {
    compile_with(
        source.as_ref(),
        chunk_name.as_ref(),
        &Options {
            by_reference_captures: true,
            dialect,
        },
    )
}

impl Lua {
    /// Takes a source to load. Nothing happens before one of the builder's methods runs it.
    #[track_caller]
    pub fn load<'a>(&self, chunk: impl AsChunk + 'a) -> ChunkBuilder<'a> {
        let caller = Location::caller();
        let name = chunk
            .chunk_name()
            .unwrap_or_else(|| format!("@{}:{}", caller.file(), caller.line()));
        ChunkBuilder {
            lua: self.clone(),
            source: chunk.source().map(|source| Cow::Owned(source.into_owned())),
            name,
            environment: None,
            mode: ChunkMode::Text,
        }
    }

    /// The main function of a compiled chunk, in this VM.
    pub fn load_chunk(&self, chunk: &Arc<Chunk>) -> Result<Function> {
        self.function_of(chunk, None)
    }

    /// As [`Lua::load_chunk`], with a table as the environment instead of the globals.
    ///
    /// ```
    /// use rille_lua::Lua;
    /// let chunk = rille_lua::compile("x = 6 * 7", "=six")?;
    /// let lua = Lua::new();
    /// let scope = lua.create_table()?;
    /// lua.load_chunk_in(&chunk, &scope)?.call::<()>(())?;
    /// assert_eq!(scope.get::<i64>("x")?, 42);
    /// # Ok::<(), rille_lua::Error>(())
    /// ```
    pub fn load_chunk_in(&self, chunk: &Arc<Chunk>, environment: &Table) -> Result<Function> {
        self.function_of(chunk, Some(environment))
    }

    fn function_of(&self, chunk: &Arc<Chunk>, environment: Option<&Table>) -> Result<Function> {
        let environment = match environment {
            Some(t) => Some(self.own(&t.0)?),
            None => None,
        };
        self.try_enter(|vm| {
            let f = vm.load_chunk(chunk)?;
            Ok(self.main_function(vm, f, environment))
        })
    }

    fn main_function(&self, vm: &mut Vm, f: Gc<LuaClosure>, environment: Option<Val>) -> Function {
        let handle = self.handle(vm, Val::lua_closure(f));
        if let Some(environment) = environment {
            vm.set_environment(f, environment);
        }
        Function(handle)
    }
}
