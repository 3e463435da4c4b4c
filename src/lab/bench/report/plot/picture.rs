use maud::Markup;
use maud::PreEscaped;
use maud::html;

use super::paint::Px;
use super::paint::shorten;
use crate::lab::bench::findings::Group;

/// Colours of plots, on white and on dark ground.
pub(crate) const STYLE: &str = include_str!("plot.css");

/// Around a picture that is a document of its own.
const MARGIN: f64 = 16.0;

/// One picture.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    /// The section it belongs to.
    pub(crate) group: Group,
    /// Its short name, of small letters, digits and hyphens.
    pub(crate) name: String,
    /// What it shows.
    pub(crate) title: String,
    /// What one sees in it, for those who do not.
    pub(crate) description: String,
    pub(super) width: f64,
    pub(super) height: f64,
    /// The place of its title, which is left out where the head of a section says the same.
    pub(super) title_space: TitleSpace,
    pub(super) body: Markup,
}

/// Whether a title stands over a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum TitleSpace {
    /// On a page too.
    Always,
    /// On a page it would repeat the head of the section: there the picture begins lower.
    Alone(f64),
}

impl Plot {
    /// Name of the file it is written to.
    #[must_use]
    pub(crate) fn file_name(&self) -> String {
        format!("{}.svg", self.name)
    }

    /// As part of a page, which holds the style.
    #[must_use]
    pub(crate) fn inline(&self) -> Markup {
        let top = match self.title_space {
            TitleSpace::Always => 0.0,
            TitleSpace::Alone(height) => height,
        };
        html! {
            svg viewBox={ "0 " (Px(top)) " " (Px(self.width)) " " (Px(self.height - top)) } width=(Px(self.width))
                role="img" aria-labelledby=(self.labels()) {
                (self.content(self.title_space == TitleSpace::Always))
            }
        }
    }

    /// As a document of its own, with its ground: it is read on white and on dark pages.
    #[must_use]
    pub(crate) fn standalone(&self) -> String {
        let (width, height) = (self.width + 2.0 * MARGIN, self.height + 2.0 * MARGIN);
        let markup = html! {
            svg xmlns="http://www.w3.org/2000/svg" width=(Px(width)) height=(Px(height))
                viewBox={ (Px(-MARGIN)) " " (Px(-MARGIN)) " " (Px(width)) " " (Px(height)) } role="img" aria-labelledby=(self.labels()) {
                style { (PreEscaped(STYLE)) }
                rect class="ground" x=(Px(-MARGIN)) y=(Px(-MARGIN)) width=(Px(width)) height=(Px(height)) {}
                (self.content(true))
            }
        };
        let mut text = markup.into_string();
        // No XML document may hold them, escaped or not.
        text.retain(|letter| letter == '\n' || !letter.is_control() && !matches!(letter, '\u{fffe}' | '\u{ffff}'));
        text.push('\n');
        text
    }

    fn content(&self, titled: bool) -> Markup {
        html! {
            title id={ (self.name) "-title" } { (self.title) }
            desc id={ (self.name) "-desc" } { (self.description) }
            g class="plot" {
                @if titled { text class="name" x="0" y="15" { (shorten(&self.title, self.width * 0.8)) } }
                (self.body)
            }
        }
    }

    fn labels(&self) -> String {
        format!("{0}-title {0}-desc", self.name)
    }
}

/// A name that is safe in a path and as the id of an element, whatever it was made from.
pub(super) fn slug(parts: &[&str]) -> String {
    let mut slug = String::new();
    for letter in parts.join("-").chars() {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// The name of a section in the names of files.
pub(crate) fn group_slug(group: Group) -> &'static str {
    match group {
        Group::SetUp => "connections",
        Group::Throughput => "throughput",
        Group::RoundTrip => "round-trips",
        Group::Stalled => "stalled",
        Group::Ticks => "ticks",
        Group::Line => "lines",
        Group::Processor => "processor",
    }
}
