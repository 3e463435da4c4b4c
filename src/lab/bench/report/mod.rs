//! What a run found, shown: medians and ratios, on a terminal, as a page with plots and as Markdown.
//!
//! [`table()`] is for the terminal, [`write()`] makes the files of a folder. Both begin with the same judgement:
//!
//! - `judge`: rounds → figures, ratios and what they say; with `arithmetic` and `carriers`.
//! - `standing`: how two carriers stand beside each other in the run as a whole.
//! - `words`: how figures are written, and what is said in sentences.
//! - `grid`: the tables, before they take a form.
//! - `table`, `markdown`, `page`: the three forms.
//! - `plot`: the pictures.
//! - `files`: what is written where.

mod arithmetic;
mod carriers;
mod files;
mod grid;
mod judge;
mod markdown;
mod page;
mod plot;
mod standing;
mod table;
mod words;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

pub use files::write;
pub use table::table;
pub(crate) use words::plain_value;
