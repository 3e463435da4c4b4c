//! How carriers are told apart: by colour and by shape.

use maud::Markup;
use maud::Render;
use maud::html;

use crate::lab::bench::report::carriers::is_ours;
use crate::lab::bench::report::carriers::is_variant;

/// Letters of 12 pixels are about so wide.
const LETTER_WIDTH: f64 = 7.6;

/// Half the size of a shape.
const HALF: f64 = 4.0;

/// Between two names of a legend.
const LEGEND_GAP: f64 = 22.0;
/// From one line of a legend to the next.
pub(super) const LEGEND_LINE: f64 = 20.0;

/// A place or a length: a tenth of a pixel is exact enough, and keeps files small.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Px(pub(super) f64);

impl Render for Px {
    fn render_to(&self, buffer: &mut String) {
        let tenths = (self.0 * 10.0).round() / 10.0;
        buffer.push_str(&tenths.to_string());
    }
}

/// Class of the colour of a carrier. Ours are shades of one colour, the more lanes the stronger.
pub(super) fn colour(carriers: &[&str], carrier: &str) -> &'static str {
    const OURS: [&str; 4] = ["b0", "b1", "b2", "b3"];
    const OTHERS: [&str; 3] = ["o0", "o1", "o2"];
    let place = |alike: fn(&str) -> bool| {
        let mut family = carriers.iter().filter(|other| alike(other));
        family.position(|other| *other == carrier).unwrap_or_default()
    };
    match carrier {
        "plain" => "p",
        "tuned" => "t",
        "TLS" => "s",
        _ if is_variant(carrier) => "m",
        _ if is_ours(carrier) => {
            let last = carriers
                .iter()
                .filter(|other| has_shade(other))
                .count()
                .saturating_sub(1);
            // One alone has the third: neither pale nor nearly black.
            let shade = (place(has_shade) * (OURS.len() - 1)).checked_div(last).unwrap_or(2);
            OURS.get(shade).copied().unwrap_or("b3")
        }
        _ => OTHERS.get(place(is_unknown) % OTHERS.len()).copied().unwrap_or("o0"),
    }
}

fn has_shade(carrier: &str) -> bool {
    is_ours(carrier) && !is_variant(carrier)
}

fn is_unknown(carrier: &str) -> bool {
    !is_ours(carrier) && !matches!(carrier, "plain" | "tuned" | "TLS")
}

/// The shape that stands for a carrier, its middle at a place.
pub(super) fn shape(carriers: &[&str], carrier: &str, x: f64, y: f64) -> Markup {
    let colour = colour(carriers, carrier);
    match colour {
        "p" => html! {
            rect class={ "solid " (colour) } x=(Px(x - 3.5)) y=(Px(y - 3.5)) width="7" height="7" {}
        },
        "m" => corners(colour, &cross(x, y)),
        "t" => corners(colour, &[(x, y - 5.0), (x + 5.0, y), (x, y + 5.0), (x - 5.0, y)]),
        "s" => corners(colour, &[(x, y - 4.6), (x + 4.6, y + 3.6), (x - 4.6, y + 3.6)]),
        "o0" | "o1" | "o2" => corners(colour, &[(x - 4.6, y - 3.6), (x + 4.6, y - 3.6), (x, y + 4.6)]),
        _ => html! { circle class={ "solid " (colour) } cx=(Px(x)) cy=(Px(y)) r=(Px(HALF)) {} },
    }
}

/// An upright cross.
fn cross(x: f64, y: f64) -> [(f64, f64); 12] {
    const CORNERS: [(f64, f64); 12] = [
        (-1.7, -5.0),
        (1.7, -5.0),
        (1.7, -1.7),
        (5.0, -1.7),
        (5.0, 1.7),
        (1.7, 1.7),
        (1.7, 5.0),
        (-1.7, 5.0),
        (-1.7, 1.7),
        (-5.0, 1.7),
        (-5.0, -1.7),
        (-1.7, -1.7),
    ];
    CORNERS.map(|(right, down)| (x + right, y + down))
}

fn corners(colour: &str, corners: &[(f64, f64)]) -> Markup {
    html! { polygon class={ "solid " (colour) } points=(points(corners)) {} }
}

/// Places, as a line takes them.
pub(super) fn points(places: &[(f64, f64)]) -> String {
    let mut text = String::new();
    for (x, y) in places {
        if !text.is_empty() {
            text.push(' ');
        }
        Px(*x).render_to(&mut text);
        text.push(',');
        Px(*y).render_to(&mut text);
    }
    text
}

/// About how wide a text is.
pub(super) fn width(text: &str) -> f64 {
    text.chars().count() as f64 * LETTER_WIDTH
}

/// A text in lines of `room`, three at most.
pub(super) fn wrap(text: &str, room: f64) -> Vec<String> {
    const LINES: usize = 3;
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if line.is_empty() || lines.len() + 1 == LINES || width(&line) + width(word) + LETTER_WIDTH <= room {
            line += if line.is_empty() { "" } else { " " };
        } else {
            lines.push(std::mem::take(&mut line));
        }
        line += word;
    }
    lines.push(line);
    lines.iter().map(|line| shorten(line, room)).collect()
}

/// As much of a text as finds room.
pub(super) fn shorten(text: &str, room: f64) -> String {
    let letters = (room / LETTER_WIDTH).max(2.0) as usize;
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let front: String = text.chars().take(letters - 1).collect();
    format!("{}…", front.trim_end())
}

/// Names of carriers beside their shapes, in lines of `room`; with the height of it all.
pub(super) fn legend(carriers: &[&str], shown: &[&str], left: f64, top: f64, room: f64) -> (Markup, f64) {
    let (mut x, mut line) = (0.0, 0.0);
    let mut names = Vec::new();
    for carrier in shown {
        let wide = 12.0 + width(carrier).min(room - 12.0);
        if x > 0.0 && x + wide > room {
            (x, line) = (0.0, line + 1.0);
        }
        names.push((*carrier, left + x, top + line * LEGEND_LINE));
        x += wide + LEGEND_GAP;
    }
    let markup = html! {
        @for (carrier, x, y) in names {
            (shape(carriers, carrier, x + HALF, y))
            text x=(Px(x + 12.0)) y=(Px(y + 4.0)) { (shorten(carrier, room - 12.0)) }
        }
    };
    (markup, (line + 1.0) * LEGEND_LINE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::bench::report::sample::ALL;

    #[test]
    fn carriers_that_stand_together_are_told_apart() {
        let carriers: Vec<&str> = ALL.into_iter().chain(["other"]).collect();
        let colours: Vec<String> = carriers
            .iter()
            .map(|carrier| colour(&carriers, carrier).to_string())
            .collect();
        assert_eq!(colours, ["b0", "b1", "b2", "m", "b3", "p", "t", "s", "o0", "o1"]);
        assert_eq!(colour(&["beamway 16", "plain"], "beamway 16"), "b2");
        assert_eq!(colour(&["beamway 1", "beamway 16"], "beamway 16"), "b3");
    }

    #[test]
    fn texts_keep_to_their_room() {
        let room = 10.0 * LETTER_WIDTH;
        assert_eq!(shorten("ten letter", room), "ten letter");
        assert_eq!(shorten("eleven lett", room), "eleven le…");
        assert_eq!(shorten("nine aaaa bb", room), "nine aaaa…");
        assert_eq!(wrap("one two three four five", room), ["one two", "three four", "five"]);
        assert_eq!(
            wrap("one two three four five six seven", room),
            ["one two", "three four", "five six…"]
        );
        assert_eq!(wrap("unbreakableword", room), ["unbreakab…"]);
    }

    #[test]
    fn places_are_exact_to_a_tenth() {
        assert_eq!(points(&[(1.0, 2.25), (3.04, -0.55)]), "1,2.3 3,-0.6");
    }
}
