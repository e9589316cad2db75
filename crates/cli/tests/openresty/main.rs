//! Code written for OpenResty: examples that run here and in nginx, and the table of what there is.
//!
//! | file | what |
//! |---|---|
//! | `examples/` | apps of one to six files, with what they answer |
//! | `example.rs` | reads them and serves them |
//! | `nginx.rs` | serves them with nginx and its Lua module |
//! | `functions.md` | every function of `ngx`: where it is tested, or why there is none |
//! | `page.rs` | holds that page to what a running app has |

#[path = "../serve_support/mod.rs"]
mod serve_support;

mod example;
mod nginx;
mod page;
