//! How two carriers stand beside each other in the run as a whole.

use super::judge::Item;
use super::judge::Judgement;
use super::judge::Ratio;
use super::judge::Verdict;

/// All comparisons of two carriers, counted.
#[derive(Clone, Debug)]
pub(super) struct Standing<'a> {
    /// One of ours.
    pub(super) ours: &'a str,
    /// Whom it is compared with.
    pub(super) other: &'a str,
    /// Comparisons in which ours is slower.
    pub(super) slower: usize,
    /// Comparisons in which they are not told apart.
    pub(super) even: usize,
    /// Comparisons in which ours is faster.
    pub(super) faster: usize,
    /// Where ours stands worst.
    pub(super) worst: (&'a Item<'a>, Ratio),
    /// Where ours stands best.
    pub(super) best: (&'a Item<'a>, Ratio),
}

/// All pairs of carriers that are compared, those that have anything in common.
#[must_use]
pub(super) fn standings<'a>(judgement: &'a Judgement<'a>) -> Vec<Standing<'a>> {
    let others = judgement.others();
    let subjects = judgement.subjects().into_iter();
    let pairs = subjects.flat_map(|ours| others.iter().map(move |other| (ours, *other)));
    let pairs = pairs.filter(|(ours, other)| ours != other);
    pairs
        .filter_map(|(ours, other)| standing(judgement, ours, other))
        .collect()
}

fn standing<'a>(judgement: &'a Judgement<'a>, ours: &'a str, other: &'a str) -> Option<Standing<'a>> {
    let items = judgement.items.iter().filter(|item| item.is_main());
    let mut ratios: Vec<(&Item<'_>, Ratio)> = items
        .filter_map(|item| Some((item, item.ratio(ours, other)?)))
        .collect();
    ratios.sort_by(|(_, one), (_, two)| one.times.total_cmp(&two.times));
    let count = |verdict| ratios.iter().filter(|(_, ratio)| ratio.verdict() == verdict).count();
    Some(Standing {
        ours,
        other,
        slower: count(Verdict::Slower),
        even: count(Verdict::Even),
        faster: count(Verdict::Faster),
        worst: *ratios.first()?,
        best: *ratios.last()?,
    })
}
