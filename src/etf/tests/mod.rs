//! [`made`] generates terms of all kinds. [`codec`] writes and reads them as bytes, [`syntax`] as text, and [`hostile`] damages both.
//! [`list`] checks that lists of bytes behave like other lists. [`values`] converts, compares and creates terms in a program.
//! [`typed`] converts values of other types, and [`scan`] reads the terms in control terms.

mod codec;
mod hostile;
mod list;
mod made;
mod scan;
mod syntax;
mod typed;
mod values;
