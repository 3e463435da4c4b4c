//! Carriers beside the reference: a shape where a carrier stands, a line from the least to the most of its rounds.

use maud::Markup;
use maud::html;

use super::paint::Px;
use super::paint::colour;
use super::paint::legend;
use super::paint::shape;
use super::paint::shorten;
use super::paint::wrap;
use super::picture::Plot;
use super::picture::TitleSpace;
use super::picture::group_slug;
use super::picture::slug;
use super::scale::Scale;
use crate::lab::bench::findings::Group;
use crate::lab::bench::report::judge::Item;
use crate::lab::bench::report::judge::Judgement;
use crate::lab::bench::report::judge::Ratio;
use crate::lab::bench::report::words;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 330.0;
/// For what of a row is compared.
const ASPECT: f64 = 80.0;
/// Of the words at the left.
const TEXT_LINE: f64 = 15.0;
const RIGHT: f64 = WIDTH - 24.0;
const TOP: f64 = 40.0;
/// For each carrier of an item.
const LINE: f64 = 11.0;
/// Above and below the carriers of an item.
const MARGIN: f64 = 6.0;

/// Everything that a carrier has beside the reference in one item.
struct Block<'a> {
    item: &'a Item<'a>,
    ratios: Vec<(&'a str, Ratio)>,
    title: Vec<String>,
    /// Every second row stands on a darker ground.
    shaded: bool,
    top: f64,
    height: f64,
}

/// The ratios of one section; `None` if there is nothing to compare.
pub(super) fn plot(judgement: &Judgement<'_>, group: Group) -> Option<Plot> {
    let reference = judgement.reference()?;
    let shown: Vec<&str> = judgement
        .carriers
        .iter()
        .copied()
        .filter(|carrier| is_compared(judgement, group, carrier, reference))
        .collect();
    let (legend, legend_height) = legend(&judgement.carriers, &shown, 0.0, TOP, WIDTH);
    let top = TOP + legend_height + 26.0;
    let blocks = blocks(judgement, group, reference, &shown, top);
    let bottom = blocks.last().map(|block| block.top + block.height)?;
    let values = blocks
        .iter()
        .flat_map(|block| block.ratios.iter().flat_map(|(_, ratio)| [ratio.least, ratio.most]));
    let across = Scale::log(values.chain([0.8, 1.25]), LEFT, RIGHT)?;
    Some(Plot {
        group,
        name: slug(&["ratios", group_slug(group)]),
        title: format!("Speed beside {reference}: {}", lower_first(words::group_name(group))),
        description: describe(reference, &blocks),
        width: WIDTH,
        height: bottom + 26.0,
        title_space: TitleSpace::Always,
        body: html! {
            (legend)
            @for block in &blocks { (ground(block)) }
            (axis(&across, reference, top, bottom))
            @for block in &blocks { (draw(judgement, block, &across)) }
        },
    })
}

fn is_compared(judgement: &Judgement<'_>, group: Group, carrier: &str, reference: &str) -> bool {
    carrier != reference
        && judgement
            .section(group)
            .any(|item| item.ratio(carrier, reference).is_some())
}

fn blocks<'a>(
    judgement: &'a Judgement<'a>,
    group: Group,
    reference: &str,
    shown: &[&'a str],
    top: f64,
) -> Vec<Block<'a>> {
    let (mut row, mut shaded, mut bottom) = (None, false, top);
    let mut blocks = Vec::new();
    for item in judgement.section(group).filter(|item| item.is_main()) {
        let ratios = shown
            .iter()
            .filter_map(|carrier| Some((*carrier, item.ratio(carrier, reference)?)));
        let ratios: Vec<(&str, Ratio)> = ratios.collect();
        if ratios.is_empty() {
            continue;
        }
        let goes_on = row.replace(&item.row.key) == Some(&item.row.key);
        shaded ^= !goes_on;
        let title = if goes_on {
            Vec::new()
        } else {
            wrap(&item.row.title, LEFT - ASPECT - 16.0)
        };
        let top = bottom;
        let height = (ratios.len() as f64 * LINE).max(title.len() as f64 * TEXT_LINE) + 2.0 * MARGIN;
        bottom = top + height;
        blocks.push(Block {
            item,
            ratios,
            title,
            shaded,
            top,
            height,
        });
    }
    blocks
}

fn ground(block: &Block<'_>) -> Markup {
    let aspect = [
        words::aspect_name(block.item.aspect),
        words::unit_name(block.item.unit()).unwrap_or_default(),
    ]
    .join(" ");
    let middle = block.top + block.height / 2.0 + 4.0;
    let first = middle - (block.title.len() as f64 - 1.0) * TEXT_LINE / 2.0;
    html! {
        @if block.shaded {
            rect class="band" x="0" y=(Px(block.top)) width=(Px(WIDTH)) height=(Px(block.height)) {}
        }
        @for (index, title) in block.title.iter().enumerate() {
            text x="8" y=(Px(first + index as f64 * TEXT_LINE)) { (title) }
        }
        text class="end quiet" x=(Px(LEFT - 10.0)) y=(Px(middle)) { (aspect.trim()) }
    }
}

fn axis(across: &Scale, reference: &str, top: f64, bottom: f64) -> Markup {
    let one = across.at(1.0);
    html! {
        @for value in across.marks() {
            line class="grid" x1=(Px(across.at(value))) x2=(Px(across.at(value))) y1=(Px(top)) y2=(Px(bottom)) {}
            text class="middle number quiet" x=(Px(across.at(value))) y=(Px(bottom + 17.0)) { (written(value)) }
        }
        line class="one" x1=(Px(one)) x2=(Px(one)) y1=(Px(top - 6.0)) y2=(Px(bottom)) {}
        text class="middle small" x=(Px(one)) y=(Px(top - 10.0)) { (shorten(reference, 90.0)) }
        text class="end quiet small" x=(Px(one - 50.0)) y=(Px(top - 10.0)) { "← slower" }
        text class="quiet small" x=(Px(one + 50.0)) y=(Px(top - 10.0)) { "faster →" }
    }
}

fn draw(judgement: &Judgement<'_>, block: &Block<'_>, across: &Scale) -> Markup {
    let rows = block.ratios.len() as f64 * LINE;
    let first = block.top + (block.height - rows) / 2.0 + LINE / 2.0;
    html! {
        @for (index, (carrier, ratio)) in block.ratios.iter().enumerate() {
            @let y = first + index as f64 * LINE;
            g class=(colour(&judgement.carriers, carrier)) {
                title { (carrier) ": " (words::times_within(ratio)) ", " (ratio.rounds) " rounds" }
                line class="range" x1=(Px(across.at(ratio.least))) x2=(Px(across.at(ratio.most))) y1=(Px(y)) y2=(Px(y)) {}
                (shape(&judgement.carriers, carrier, across.at(ratio.times), y))
            }
        }
    }
}

fn describe(reference: &str, blocks: &[Block<'_>]) -> String {
    let mut text = format!("Speed divided by that of {reference}, with the least and the most of the rounds.");
    for Block { item, ratios, .. } in blocks {
        let ratios: Vec<String> = ratios
            .iter()
            .map(|(carrier, ratio)| format!("{carrier} {}", words::times_within(ratio)))
            .collect();
        text += &format!(" {}: {}.", words::item_name(item), ratios.join(", "));
    }
    text
}

/// As short as possible: steps are products, which may miss a round number by the last bit.
fn written(value: f64) -> String {
    ((value * 1e6).round() / 1e6).to_string()
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_lowercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
