//! Tables of what was found.

use std::time::Duration;

use serde_json::json;

use crate::cell::Carrier;
use crate::cell::Cell;
use crate::cell::Setting;

/// What a controller is to reach: bulk, of the line's rate with all headers.
const BULK_SHARE: f64 = 0.9;
/// The median call, beyond the round trip of the empty line.
const CALL_P50: Duration = Duration::from_millis(20);

/// One measurement, as it is done.
pub(crate) fn line(cell: &Cell) -> String {
    format!(
        "{} over {}: {:.2} MB/s, calls p50 {} p99 {} of {}, beside {:.2} MB/s; idle {:.0} %, steal {:.0} %; {}",
        cell.carrier.name(),
        name(&cell.setting),
        cell.bulk / 1e6,
        milliseconds(cell.p50),
        milliseconds(cell.p99),
        cell.calls,
        cell.beside / 1e6,
        cell.idle * 100.0,
        cell.steal * 100.0,
        cell.line,
    )
}

/// The medians of the rounds: one row for each line, one column for each carrier.
pub(crate) fn table(cells: &[Cell]) -> String {
    let carriers = distinct(cells.iter().map(|cell| cell.carrier));
    let settings = distinct(cells.iter().map(|cell| cell.setting));
    let mut table = String::from("| line |");
    for carrier in &carriers {
        table.push_str(&format!(" {} |", carrier.name()));
    }
    table.push_str(&format!("\n|---|{}", "---:|".repeat(carriers.len())));
    for setting in &settings {
        table.push_str(&format!("\n| {} |", name(setting)));
        for carrier in &carriers {
            let rounds: Vec<&Cell> = cells
                .iter()
                .filter(|cell| cell.carrier == *carrier && cell.setting == *setting)
                .collect();
            table.push_str(&format!(" {} |", summary(&rounds, setting)));
        }
    }
    table.push_str(
        "\n\nA cell: small calls p50 / p99, bulk, the flow beside it; a star where a wanted figure is missed.",
    );
    table
}

fn summary(rounds: &[&Cell], setting: &Setting) -> String {
    let of = |figure: fn(&Cell) -> f64| median(rounds.iter().map(|cell| figure(cell)).collect());
    let (bulk, beside) = (of(|cell| cell.bulk), of(|cell| cell.beside));
    let [p50, p99] = [of(|cell| cell.p50.as_secs_f64()), of(|cell| cell.p99.as_secs_f64())];
    let mark = |is_met: bool| if is_met { "" } else { "*" };
    if rounds.iter().any(|cell| cell.carrier == Carrier::None) {
        return format!("{:.1}", beside / 1e6);
    }
    let most = setting.rtt + CALL_P50;
    let calls = format!(
        "{:.0}{} / {:.0}{} ms",
        p50 * 1e3,
        mark(p50 <= most.as_secs_f64()),
        p99 * 1e3,
        mark(p99 <= (most + setting.rtt.mul_f64(1.5)).as_secs_f64()),
    );
    if setting.beside.is_some() {
        return format!("{calls}, {:.1} : {:.1} MB/s", bulk / 1e6, beside / 1e6);
    }
    let is_met = bulk * 8.0 / setting.rate as f64 >= BULK_SHARE;
    format!("{calls}, {:.1}{} MB/s", bulk / 1e6, mark(is_met))
}

/// All rounds, for programs.
pub(crate) fn json(cells: &[Cell]) -> String {
    let cells: Vec<_> = cells
        .iter()
        .map(|cell| {
            json!({
                "carrier": cell.carrier.name(),
                "rate_bits_per_second": cell.setting.rate,
                "rtt_ms": cell.setting.rtt.as_millis() as u64,
                "buffer_ms": cell.setting.buffer.as_millis() as u64,
                "loss": cell.setting.loss,
                "bulk_bytes_per_second": cell.bulk,
                "beside_bytes_per_second": cell.setting.beside.map(|_| cell.beside),
                "calls": cell.calls,
                "calls_p50_ms": cell.p50.as_secs_f64() * 1e3,
                "calls_p99_ms": cell.p99.as_secs_f64() * 1e3,
                "idle": cell.idle,
                "steal": cell.steal,
                "lost": cell.line.lost,
                "overflowed": cell.line.overflowed,
                "verified": true,
            })
        })
        .collect();
    format!("{:#}", json!(cells))
}

fn name(setting: &Setting) -> String {
    format!(
        "{} Mbit/s, {} ms, buffer {} ms, loss {} %",
        setting.rate / 1_000_000,
        setting.rtt.as_millis(),
        setting.buffer.as_millis(),
        (setting.loss * 1e6).round() / 1e4,
    )
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for item in items {
        if !found.contains(&item) {
            found.push(item);
        }
    }
    found
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
