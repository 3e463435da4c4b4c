//! Tests of the report: figures that were reckoned by hand, and what a stranger may have put into names.

mod forms;
mod judgement;
