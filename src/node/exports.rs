use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::io::context::Context;
use super::io::node::Shared;
use super::life::Exit;
use super::life::caught;
use crate::dist::SpawnRequest;
use crate::etf::Atom;
use crate::etf::Term;
use crate::etf::from_term;
use crate::etf::to_term;

/// What an exported function raises instead of returning. The caller gets its class, its reason and a stack trace.
///
/// With `?`, any error becomes one: class `error`, its text as the reason, and the source line of the `?`.
#[derive(Clone, Debug, PartialEq)]
pub struct Raise {
    class: Class,
    reason: Term,
    /// Where it was raised; `None`: the call itself is at fault.
    place: Option<&'static Location<'static>>,
}

/// Erlang's classes of exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `error(Reason)`.
    Error,
    /// `exit(Reason)`.
    Exit,
    /// `throw(Value)`.
    Throw,
}

impl Raise {
    #[track_caller]
    fn new(class: Class, reason: Term) -> Self {
        Self {
            class,
            reason,
            place: Some(Location::caller()),
        }
    }

    /// `error(Reason)`.
    #[track_caller]
    pub fn error(reason: impl Into<Term>) -> Self {
        Self::new(Class::Error, reason.into())
    }

    /// `exit(Reason)`.
    #[track_caller]
    pub fn exit(reason: impl Into<Term>) -> Self {
        Self::new(Class::Exit, reason.into())
    }

    /// `throw(Value)`.
    #[track_caller]
    pub fn throw(value: impl Into<Term>) -> Self {
        Self::new(Class::Throw, value.into())
    }

    /// The arguments match no clause of the function. The stack trace shows them.
    pub fn function_clause() -> Self {
        Self {
            class: Class::Error,
            reason: Term::atom("function_clause"),
            place: None,
        }
    }

    fn undefined() -> Self {
        Self {
            class: Class::Error,
            reason: Term::atom("undef"),
            place: None,
        }
    }

    /// `[{Module, Function, Arity or Arguments, Location}]`.
    fn stack(&self, module: &Atom, function: &Atom, arguments: &[Term]) -> Term {
        let frame = match self.place {
            None => term!({(module.clone()), (function.clone()), (arguments.to_vec()), []}),
            Some(place) => term!(
                {(module.clone()), (function.clone()), (arguments.len()),
                 [{file, (Term::charlist(place.file()))}, {line, (place.line())}]}
            ),
        };
        term!([(frame)])
    }
}

impl<E: std::error::Error> From<E> for Raise {
    #[track_caller]
    fn from(error: E) -> Self {
        Self::error(error.to_string())
    }
}

type Outcome = Pin<Box<dyn Future<Output = Result<Term, Raise>> + Send>>;
type Function = Box<dyn Fn(Context, Vec<Term>) -> Outcome + Send + Sync>;

/// The functions that other nodes may call.
#[derive(Default)]
pub(super) struct Exports {
    functions: FxHashMap<(Atom, Atom), Function>,
}

impl fmt::Debug for Exports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.functions.keys()).finish()
    }
}

impl Exports {
    pub(super) fn insert<F>(
        &mut self,
        module: Atom,
        name: Atom,
        function: impl Fn(Context, Vec<Term>) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<Term, Raise>> + Send + 'static,
    {
        let boxed: Function = Box::new(move |context, arguments| Box::pin(function(context, arguments)));
        self.functions.insert((module, name), boxed);
    }

    /// Exports a function whose arguments are deserialized from a tuple.
    pub(super) fn insert_typed<A, R, F>(
        &mut self,
        module: Atom,
        name: Atom,
        function: impl Fn(A) -> F + Send + Sync + 'static,
    ) where
        A: DeserializeOwned,
        R: Serialize,
        F: Future<Output = Result<R, Raise>> + Send + 'static,
    {
        self.insert(module, name, move |_, arguments| {
            let call = from_term::<A>(&Term::Tuple(arguments)).map(&function);
            async move {
                match call {
                    Ok(call) => Ok(to_term(&call.await?)?),
                    Err(_) => Err(Raise::function_clause()),
                }
            }
        });
    }

    async fn apply(&self, context: Context, module: &Atom, name: &Atom, arguments: &[Term]) -> Result<Term, Raise> {
        let Some(function) = self.functions.get(&(module.clone(), name.clone())) else {
            return Err(Raise::undefined());
        };
        match caught(function(context, arguments.to_vec())).await {
            Ok(outcome) => outcome,
            Err(reason) => Err(Raise {
                class: Class::Error,
                reason,
                place: None,
            }),
        }
    }

    /// The result as `rpc:call/4` gives it: the value, the thrown value, or `{badrpc, {'EXIT', Reason}}`.
    pub(super) async fn call(&self, context: Context, module: &Atom, name: &Atom, arguments: &[Term]) -> Term {
        match self.apply(context, module, name, arguments).await {
            Ok(value) => value,
            Err(raise) => match raise.class {
                Class::Throw => raise.reason,
                Class::Exit => term!({badrpc, {@"EXIT", (raise.reason)}}),
                Class::Error => {
                    let stack = raise.stack(module, name, arguments);
                    term!({badrpc, {@"EXIT", {(raise.reason), (stack)}}})
                }
            },
        }
    }
}

/// The body of a process that another node has spawned. It runs the function itself, or the wrapper that `erpc` puts around
/// it (`erpc:execute_call/4`, `erpc:execute_cast/3`), whose result is the exit reason.
pub(super) async fn serve_request(shared: Arc<Shared>, context: Context, request: Box<SpawnRequest>) -> Exit {
    let SpawnRequest {
        module,
        function,
        arguments,
        ..
    } = *request;
    match (&*module, &*function, arguments.as_slice()) {
        ("erpc", "execute_call", [tag, Term::Atom(module), Term::Atom(function), Term::List(arguments)]) => {
            let arguments = &Vec::from(arguments.clone());
            let outcome = shared.exports.apply(context, module, function, arguments).await;
            Exit::new(match outcome {
                Ok(value) => term!({(tag.clone()), return, (value)}),
                Err(raise) => match raise.class {
                    Class::Throw => term!({(tag.clone()), throw, (raise.reason)}),
                    Class::Exit => term!({(tag.clone()), exit, (raise.reason)}),
                    Class::Error => {
                        let stack = raise.stack(module, function, arguments);
                        term!({(tag.clone()), error, (raise.reason), (stack)})
                    }
                },
            })
        }
        ("erpc", "execute_cast", [Term::Atom(module), Term::Atom(function), Term::List(arguments)]) => {
            run(&shared, context, module, function, &Vec::from(arguments.clone())).await
        }
        _ => run(&shared, context, &module, &function, &arguments).await,
    }
}

/// Runs a function and drops its value. The exit reason is the one that Erlang would give.
async fn run(shared: &Shared, context: Context, module: &Atom, function: &Atom, arguments: &[Term]) -> Exit {
    let Err(raise) = shared.exports.apply(context, module, function, arguments).await else {
        return Exit::new(Term::atom("normal"));
    };
    let stack = raise.stack(module, function, arguments);
    Exit::new(match raise.class {
        Class::Error => term!({(raise.reason), (stack)}),
        Class::Exit => raise.reason,
        Class::Throw => term!({{nocatch, (raise.reason)}, (stack)}),
    })
}
