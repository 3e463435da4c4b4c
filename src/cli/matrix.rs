use serde::Serialize;

use super::output;
use super::status::size;
use super::top::Column;
use super::top::table;
use crate::dist::NodeName;
use crate::router::Action;
use crate::router::Rule;
use crate::router::Rules;

/// The columns of a table.
const WIDTH: usize = 80;

/// What the rules say of signals from one node to another one. Rules are numbered from 1.
#[derive(Debug, Serialize)]
struct Cell {
    from: String,
    to: String,
    /// `allow` or `deny`, and the rule that says so; `null`: no rule says.
    action: &'static str,
    action_rule: Option<usize>,
    /// Bytes per second, bytes at once, and the rule; `null`: as much as the other node reads.
    rate_bytes_per_second: Option<u64>,
    burst_bytes: Option<u64>,
    rate_rule: Option<usize>,
    priority: &'static str,
    priority_rule: Option<usize>,
}

impl Cell {
    fn new(rules: &Rules, from: &str, to: &str) -> Self {
        let (action, flow) = (rules.action(from, to), rules.flow(from, to));
        let (rate, rate_rule) = flow.rate.unzip();
        let (priority, priority_rule) = flow.priority.unzip();
        Self {
            from: from.to_owned(),
            to: to.to_owned(),
            action: match action {
                Some((Action::Deny, _)) => "deny",
                Some((Action::Allow, _)) | None => "allow",
            },
            action_rule: action.map(|(_, rule)| rule),
            rate_bytes_per_second: rate.map(|rate| rate.bytes),
            burst_bytes: rate.map(|rate| rate.burst),
            rate_rule,
            priority: priority.unwrap_or_default().as_str(),
            priority_rule,
        }
    }

    fn row(&self) -> Vec<String> {
        let by = |text: String, rule: Option<usize>| match rule {
            Some(rule) => format!("{text} ({rule})"),
            None => text,
        };
        let nothing = || "-".to_owned();
        let is_denied = self.action == "deny";
        let connection = if is_denied { "denied" } else { "allowed" };
        let mut row = vec![self.from.clone(), self.to.clone()];
        row.push(by(connection.to_owned(), self.action_rule));
        if is_denied {
            row.extend([nothing(), nothing(), nothing()]);
            return row;
        }
        let rate = self
            .rate_bytes_per_second
            .map(|rate| by(format!("{}/s", size(rate)), self.rate_rule));
        row.push(rate.unwrap_or_else(nothing));
        row.push(self.burst_bytes.map_or_else(nothing, size));
        row.push(by(self.priority.to_owned(), self.priority_rule));
        row
    }
}

/// Prints what the rules of a daemon say of each ordered pair of these nodes: a table, with the number of the rule in brackets, or JSON.
///
/// # Errors
/// If one of them is no name of a node.
pub(super) fn print(owner: &str, rules: &[Rule], nodes: &[String], is_json: bool) -> anyhow::Result<()> {
    for node in nodes {
        anyhow::ensure!(
            NodeName::new(node).is_ok(),
            "{node:?} is not the name of a node: it must be NAME@HOST, as in `a@host1`"
        );
    }
    let rules = Rules::new(owner, rules.to_vec());
    let pairs = nodes.iter().flat_map(|from| nodes.iter().map(move |to| (from, to)));
    let cells: Vec<Cell> = pairs
        .filter(|(from, to)| from != to)
        .map(|(from, to)| Cell::new(&rules, from, to))
        .collect();
    if is_json {
        output::say(&serde_json::to_string_pretty(&cells)?);
        return Ok(());
    }
    let head = ["FROM", "TO", "CONNECTION", "RATE", "BURST", "PRIORITY"].map(str::to_owned);
    let rows: Vec<Vec<String>> = [head.to_vec()].into_iter().chain(cells.iter().map(Cell::row)).collect();
    let columns = [
        Column::Name,
        Column::Name,
        Column::Word,
        Column::Word,
        Column::Word,
        Column::Word,
    ];
    for line in table(&columns, &rows, WIDTH) {
        output::say(&line);
    }
    Ok(())
}
