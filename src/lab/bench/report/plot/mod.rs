//! Plots: from a judgement to SVG, which a page holds and a folder keeps.
//!
//! - `all`: the plots of a run, section by section.
//! - `picture`: one plot with its name and description; written into a page or as a file of its own.
//! - `paint`: colours and shapes by which carriers are told apart, also by those who do not see some colours.
//! - `scale`: values → places, and which values stand at an axis.
//! - `bars`: speeds and costs, a small field for each row.
//! - `distribution`: round trips by percentile.
//! - `ratios`: carriers beside the reference.
//! - `lines`: rows on emulated lines, by their loss.

mod all;
mod bars;
mod distribution;
mod lines;
mod paint;
mod picture;
mod ratios;
mod scale;

pub(super) use all::all;
pub(super) use picture::Plot;
pub(super) use picture::STYLE;
pub(super) use picture::group_slug;
