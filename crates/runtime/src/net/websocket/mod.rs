//! WebSocket (RFC 6455), as far as it is the same for clients and servers, and knows neither HTTP nor Lua.
//!
//! | file | what |
//! |---|---|
//! | `frame` | frames to bytes and back; pure |
//! | `reader` | frames off a [`Stream`](super::Stream) |

pub mod frame;
pub mod reader;

pub use frame::{Masking, Opcode, Rules, Violation};
pub use reader::{Frame, ReadError, Reader};
