//! Terms of all kinds are [`made`] up; [`codec`] writes and reads them as bytes, [`syntax`] as text; [`hostile`] damages
//! both. [`list`] holds lists of bytes to what lists are, [`values`] converts, compares and writes terms in a program,
//! [`typed`] carries values of other types, and [`scan`] reads what stands in control terms.

mod codec;
mod hostile;
mod list;
mod made;
mod scan;
mod syntax;
mod typed;
mod values;
