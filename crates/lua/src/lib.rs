//! A Lua 5.4 virtual machine.
pub mod chunk;
pub mod compiler;
pub mod number;
pub mod op;
