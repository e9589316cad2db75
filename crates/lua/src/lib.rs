//! A Lua 5.4 virtual machine.
pub mod chunk;
pub mod compiler;
pub mod function;
pub mod heap;
pub mod host;
pub mod native;
pub mod number;
pub mod op;
pub mod stdlib;
pub mod string;
pub mod table;
pub mod thread;
pub mod userdata;
pub mod value;
pub mod vm;
