//! The report as files of a folder.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use super::judge::Judgement;
use super::markdown;
use super::page;
use super::plot;
use crate::lab::bench::findings::Findings;

/// Writes the report into a folder, which is made if need be: `index.html`, which needs nothing else; `report.md`, and each
/// plot as a file that it links. Files of these names are written over. Returns the page.
///
/// # Errors
///
/// When a file cannot be written.
pub fn write(findings: &Findings, folder: &Path) -> io::Result<PathBuf> {
    let judgement = Judgement::new(findings);
    let plots = plot::all(&judgement);
    fs::create_dir_all(folder)?;
    for plot in &plots {
        fs::write(folder.join(plot.file_name()), plot.standalone())?;
    }
    fs::write(folder.join("report.md"), markdown::markdown(findings, &plots))?;
    let page = folder.join("index.html");
    fs::write(&page, page::page(&judgement, &plots))?;
    Ok(page)
}
