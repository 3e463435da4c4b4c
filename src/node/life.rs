use std::any::Any;
use std::future::Future;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::pin::pin;
use std::task::Poll;
use std::task::Waker;

use crate::etf::Term;
use crate::node::CallError;
use crate::node::Exited;
use crate::node::mailbox::Mailbox;

/// The exit reason with which a process ends itself: `return Err(Exit::new(term!(no_more_work)))`, or `?` on any error.
#[derive(Clone, Debug, PartialEq)]
pub struct Exit(Term);

impl Exit {
    /// An exit with this reason.
    pub fn new(reason: impl Into<Term>) -> Self {
        Self(reason.into())
    }

    /// The reason.
    pub fn into_reason(self) -> Term {
        self.0
    }
}

impl<E: std::error::Error + 'static> From<E> for Exit {
    /// The reason inside an [`Exited`] or a [`CallError`]; for any other error its text, as a binary.
    fn from(error: E) -> Self {
        let any: &dyn Any = &error;
        if let Some(exited) = any.downcast_ref::<Exited>() {
            return Self(exited.reason.clone());
        }
        match any.downcast_ref::<CallError>() {
            Some(CallError::Down(reason)) => Self(reason.clone()),
            Some(CallError::Timeout) => Self(Term::atom("timeout")),
            _ => Self(Term::from(error.to_string())),
        }
    }
}

/// What the function of a process may return. It determines the exit reason.
pub trait Outcome {
    /// The exit reason.
    fn reason(self) -> Term;
}

impl Outcome for () {
    fn reason(self) -> Term {
        Term::atom("normal")
    }
}

/// The return type of a function that never returns, such as the loop of a server. Stable Rust has no other name for it.
#[allow(unreachable_pub, reason = "it stands in the head of a public impl")]
pub trait Returns {
    /// What it returns.
    type Output;
}

impl<T> Returns for fn() -> T {
    type Output = T;
}

impl Outcome for <fn() -> ! as Returns>::Output {
    fn reason(self) -> Term {
        self
    }
}

impl Outcome for Exit {
    fn reason(self) -> Term {
        self.0
    }
}

impl Outcome for Result<(), Exit> {
    fn reason(self) -> Term {
        match self {
            Ok(()) => Term::atom("normal"),
            Err(exit) => exit.0,
        }
    }
}

/// Runs a process until it is done or must end. Its future is dropped before other processes are notified of its end.
///
/// # Errors
/// The exit reason, if an exit signal ended it, or `{panic, Text}`.
pub(in crate::node) async fn live<F: Future>(mailbox: &Mailbox, body: F) -> Result<F::Output, Term> {
    let mut body = pin!(caught(body));
    let mut task: Option<Waker> = None;
    poll_fn(|context| {
        if !task.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            mailbox.watch(context.waker());
            task = Some(context.waker().clone());
        }
        match mailbox.killed() {
            Some(reason) => Poll::Ready(Err(reason)),
            None => body.as_mut().poll(context),
        }
    })
    .await
}

/// Runs a future until it is done or panics.
///
/// # Errors
/// `{panic, Text}`, the exit reason that other processes see.
pub(in crate::node) async fn caught<F: Future>(body: F) -> Result<F::Output, Term> {
    let mut body = pin!(body);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(context))) {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panic) => Poll::Ready(Err(panicked(panic.as_ref()))),
        },
    )
    .await
}

fn panicked(panic: &(dyn Any + Send)) -> Term {
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "a panic value that is not text",
    };
    term!({panic, (text)})
}
