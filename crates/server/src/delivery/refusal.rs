//! Why something that an operator asked for was not done.
//!
//! **Invariant:** a refusal has one message of one line, the same in the log, in the admin API's JSON and on the command line, and a code that does
//! not change when its words do.

use rille_runtime::problem::one_line;
use rille_store::{Error, ErrorKind};
use std::fmt;

/// What kind of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// What was asked for is not well said.
    BadRequest,
    /// There is no or no right token.
    Unauthorized,
    /// There is no such thing.
    NotFound,
    /// There is something, but not for this method.
    MethodNotAllowed,
    /// The client took too long.
    RequestTimeout,
    /// What was sent is too long.
    BodyTooLarge,
    /// Somebody else changes the same app.
    Busy,
    /// The app is not one that was deployed.
    NotDeployed,
    /// The app is not fit to serve.
    AppRefused,
    /// There is nothing at the source.
    SourceNotFound,
    /// We may not see the source.
    SourceDenied,
    /// The source does not answer as it should.
    SourceUnavailable,
    /// What is at the source is not fit for an app.
    SourceRefused,
    /// It took longer than its deadline.
    TimedOut,
    /// The disk is full.
    DiskFull,
    /// Something here does not work.
    Internal,
}

impl Code {
    /// As it stands in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Code::BadRequest => "bad_request",
            Code::Unauthorized => "unauthorized",
            Code::NotFound => "not_found",
            Code::MethodNotAllowed => "method_not_allowed",
            Code::RequestTimeout => "request_timeout",
            Code::BodyTooLarge => "body_too_large",
            Code::Busy => "busy",
            Code::NotDeployed => "not_deployed",
            Code::AppRefused => "app_refused",
            Code::SourceNotFound => "source_not_found",
            Code::SourceDenied => "source_denied",
            Code::SourceUnavailable => "source_unavailable",
            Code::SourceRefused => "source_refused",
            Code::TimedOut => "timed_out",
            Code::DiskFull => "disk_full",
            Code::Internal => "internal",
        }
    }

    /// The status of its response.
    pub fn status(self) -> u16 {
        match self {
            Code::BadRequest => 400,
            Code::Unauthorized => 401,
            Code::NotFound => 404,
            Code::MethodNotAllowed => 405,
            Code::RequestTimeout => 408,
            Code::Busy | Code::NotDeployed => 409,
            Code::BodyTooLarge => 413,
            Code::AppRefused | Code::SourceNotFound | Code::SourceDenied | Code::SourceRefused => {
                422
            }
            Code::Internal => 500,
            Code::SourceUnavailable => 502,
            Code::TimedOut => 504,
            Code::DiskFull => 507,
        }
    }
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind it is.
    pub code: Code,
    /// What is wrong and what to do.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: Code, message: impl AsRef<str>) -> Refusal {
        Refusal {
            code,
            message: one_line(message.as_ref()),
        }
    }

    /// There is no app of this name.
    pub fn no_app(name: &str) -> Refusal {
        Refusal::new(
            Code::NotFound,
            format!("there is no app '{name}'; rille ps lists those there are"),
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        let code = match error.kind() {
            ErrorKind::Source => Code::BadRequest,
            ErrorKind::NotFound => Code::SourceNotFound,
            ErrorKind::Denied | ErrorKind::Setup => Code::SourceDenied,
            ErrorKind::Unavailable | ErrorKind::Changed => Code::SourceUnavailable,
            ErrorKind::Refused | ErrorKind::TooLarge => Code::SourceRefused,
            ErrorKind::TimedOut => Code::TimedOut,
            ErrorKind::Full => Code::DiskFull,
            _ => Code::Internal,
        };
        Refusal::new(code, error.to_string())
    }
}
