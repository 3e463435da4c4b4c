//! The report as one page: no script, nothing from elsewhere, in light and in dark, and on paper.

use maud::DOCTYPE;
use maud::Markup;
use maud::PreEscaped;
use maud::html;

use super::grid;
use super::grid::Cell;
use super::grid::Grid;
use super::judge::Item;
use super::judge::Judgement;
use super::judge::Ratio;
use super::judge::Verdict;
use super::plot;
use super::plot::Plot;
use super::standing;
use super::words;
use crate::lab::bench::findings::Group;

const STYLE: &str = include_str!("page.css");
const TITLE: &str = "Erlang distribution carriers: throughput and latency";

/// The whole page.
#[must_use]
pub(super) fn page(judgement: &Judgement<'_>, plots: &[Plot]) -> String {
    let about = &judgement.findings.about;
    let tls = about.tls.as_ref().map(|tls| format!(" · {tls}")).unwrap_or_default();
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "beamway " (about.beamway) };
                title { "beamway bench: " (about.started) }
                style { (PreEscaped(plot::STYLE)) (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (TITLE) }
                    p class="lead" {
                        (about.machine) ", " (about.cores) " CPUs · Erlang/OTP " (about.otp) (tls) " · beamway " (about.beamway)
                        " · " (about.started)
                    }
                    (navigation(judgement))
                }
                main {
                    (in_short(judgement))
                    @for group in judgement.groups() { (section(judgement, plots, group)) }
                    (how_measured(judgement))
                }
            }
        }
    };
    markup.into_string()
}

fn navigation(judgement: &Judgement<'_>) -> Markup {
    html! {
        nav aria-label="Sections" {
            @for group in judgement.groups() {
                a href={ "#" (plot::group_slug(group)) } { (words::group_name(group)) }
            }
            a href="#how" { "How it was measured" }
        }
    }
}

fn in_short(judgement: &Judgement<'_>) -> Markup {
    html! {
        section {
            h2 { "In short" }
            @for caveat in words::caveats(judgement) { p class="caveat" { (caveat) } }
            (standings(judgement))
        }
    }
}

/// The same as [`words::summary`] says, to be looked over.
fn standings(judgement: &Judgement<'_>) -> Markup {
    let standings = standing::standings(judgement);
    let extreme = |(item, ratio): &(&Item<'_>, Ratio)| {
        html! { td class="place" { (words::times(ratio.times)) small { (words::place(item)) } } }
    };
    html! {
        @if !standings.is_empty() {
            div class="scroll" tabindex="0" role="region" aria-label="Comparisons" {
                table class="standings" {
                    caption { "Comparisons in which a carrier is slower or faster, and the lowest and the highest speed ratio" }
                    thead {
                        tr {
                            td {}
                            @for head in ["slower", "no difference", "faster", "lowest", "highest"] {
                                th scope="col" { (head) }
                            }
                        }
                    }
                    tbody {
                        @for standing in &standings {
                            tr class="first" {
                                th scope="row" { (standing.ours) " beside " (standing.other) }
                                td class="slower" { (standing.slower) }
                                td { (standing.even) }
                                td class="faster" { (standing.faster) }
                                (extreme(&standing.worst))
                                (extreme(&standing.best))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn section(judgement: &Judgement<'_>, plots: &[Plot], group: Group) -> Markup {
    html! {
        section id=(plot::group_slug(group)) {
            h2 { (words::group_name(group)) }
            p { (words::group_lead(group)) }
            @for plot in plots.iter().filter(|plot| plot.group == group) {
                figure { (plot.inline()) }
            }
            (figures(judgement, judgement.section(group)))
            @for (ours, grid) in grid::all_comparisons(judgement, group) {
                (lay(&grid, &format!("{ours}, speed ratio to other carriers: median (least to most of the rounds)")))
            }
        }
    }
}

fn figures<'a>(judgement: &Judgement<'a>, items: impl Iterator<Item = &'a Item<'a>> + Clone) -> Markup {
    let caption = match judgement.reference() {
        Some(reference) => {
            format!("Figures; below each the speed ratio to {reference}: median (least to most of the rounds)")
        }
        None => "Figures".to_owned(),
    };
    lay(&grid::figures(judgement, items), &caption)
}

fn lay(grid: &Grid, caption: &str) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead {
                    tr {
                        td colspan="2" {}
                        @for head in &grid.head { th scope="col" { (head) } }
                    }
                }
                tbody {
                    @for line in &grid.lines {
                        @if let Some(heading) = &line.heading {
                            tr { th class="heading" scope="rowgroup" colspan=(grid.head.len() + 2) { (heading) } }
                        }
                        tr class=[(!line.title.is_empty()).then_some("first")] {
                            th scope="row" { (line.title) }
                            td class="aspect" { (line.aspect) }
                            @for cell in &line.cells { (show(cell.as_ref())) }
                        }
                    }
                }
            }
        }
    }
}

fn show(cell: Option<&Cell>) -> Markup {
    let Some(cell) = cell else {
        return html! { td class="none" { "–" } };
    };
    let (class, sign) = match cell.verdict {
        Verdict::Faster => ("faster", "▲ "),
        Verdict::Slower => ("slower", "▼ "),
        Verdict::Even => ("even", ""),
    };
    let text = words::typeset(&cell.text);
    let star = if cell.marked { "*" } else { "" };
    html! {
        @match cell.beside {
            Some(ratio) => td {
                (text) (star)
                small class=(class) { (sign) (words::times(ratio.times)) }
                @if ratio.rounds > 1 { small { (words::times(ratio.least)) " to " (words::times(ratio.most)) } }
            },
            None => td { span class=(class) { (sign) (text) (star) } },
        }
    }
}

fn how_measured(judgement: &Judgement<'_>) -> Markup {
    html! {
        section id="how" {
            h2 { "How it was measured" }
            dl {
                @for (name, value) in words::circumstances(&judgement.findings.about) {
                    div { dt { (name) } dd { (value) } }
                }
            }
            h3 { "How to read it" }
            ul { @for sentence in words::how_to_read(judgement) { li { (sentence) } } }
            h3 { "Rounds" }
            p { (words::stolen(judgement)) }
            (rounds(judgement))
        }
    }
}

fn rounds(judgement: &Judgement<'_>) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="Rounds" {
            table {
                thead {
                    tr {
                        @for head in ["round", "measurements", "marked", "CPU steal, median", "CPU steal, most"] {
                            th scope="col" { (head) }
                        }
                    }
                }
                tbody {
                    @for round in judgement.rounds() {
                        tr {
                            td { (round.number + 1) }
                            td { (round.measures) }
                            td { (round.marked) }
                            td { (words::percent(round.stolen)) }
                            td { (words::percent(round.stolen_most)) }
                        }
                    }
                }
            }
        }
    }
}
