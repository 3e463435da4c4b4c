use std::fs;

use crate::lab::bench::findings::Findings;
use crate::lab::bench::findings::Group;
use crate::lab::bench::findings::Unit;
use crate::lab::bench::report::judge::Judgement;
use crate::lab::bench::report::markdown::markdown;
use crate::lab::bench::report::page::page;
use crate::lab::bench::report::plot;
use crate::lab::bench::report::plot::Plot;
use crate::lab::bench::report::sample;
use crate::lab::bench::report::table;
use crate::lab::bench::report::words;
use crate::lab::bench::report::write;

/// What a name may hold that did not come from a friend.
const HOSTILE: &str = "<script>alert(\"1\")</script> & ]]> \u{1b}[31m | `x` ![](y) '";

fn full() -> Findings {
    sample::findings(&sample::ALL, 5, sample::rows())
}

fn two() -> Findings {
    sample::findings(&["beamway 16", "plain"], 5, sample::rows())
}

fn plots(findings: &Findings) -> Vec<Plot> {
    plot::all(&Judgement::new(findings))
}

fn html(findings: &Findings) -> String {
    page(&Judgement::new(findings), &plots(findings))
}

/// Everything of a run that is text is hostile.
fn hostile() -> Findings {
    let mut findings = sample::findings(&["beamway 16", HOSTILE], 2, sample::rows());
    let about = &mut findings.about;
    for text in [
        &mut about.beamway,
        &mut about.started,
        &mut about.machine,
        &mut about.kernel,
        &mut about.otp,
        about.tls.as_mut().expect("a version"),
    ] {
        *text = HOSTILE.to_owned();
    }
    about.settings = vec![(HOSTILE.to_owned(), HOSTILE.to_owned())];
    about.notes = vec![HOSTILE.to_owned()];
    for (number, row) in findings.rows.iter_mut().enumerate() {
        let key = format!("../{number}/{HOSTILE}");
        for measure in findings.measures.iter_mut().filter(|measure| measure.row == row.key) {
            measure.row.clone_from(&key);
        }
        row.key = key;
        row.title = HOSTILE.to_owned();
        row.line = row.line.as_ref().map(|_| HOSTILE.to_owned());
    }
    findings
}

/// Asks a parser of XML that is not ours.
fn assert_xml(name: &str, text: &str) {
    if let Err(error) = roxmltree::Document::parse(text) {
        panic!("{name}: {error}\n{text}");
    }
}

#[test]
fn names_from_outside_are_text_and_nothing_else() {
    let findings = hostile();
    let text = html(&findings);
    assert!(!text.contains("<script"), "a browser would run it");
    assert!(text.contains("&lt;script&gt;alert("), "but it is shown");
    let plots = plots(&findings);
    assert!(plots.len() > 10);
    for plot in &plots {
        let svg = plot.standalone();
        assert!(!svg.contains("<script") && svg.contains("&lt;script"));
        assert_xml(&plot.name, &svg);
    }
    let document = markdown(&findings, &plots);
    assert!(!document.contains("<script") && document.contains("&lt;script"));
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    for table in document.split("\n\n").filter(|part| part.starts_with("| |")) {
        let wanted = table.lines().next().map(cells);
        assert!(table.lines().all(|line| Some(cells(line)) == wanted), "{table}");
    }
    assert!(
        !table(&findings, 120).contains('\u{1b}'),
        "a terminal would interpret it"
    );
}

#[test]
fn files_stay_in_their_folder() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("deep/report");
    let findings = hostile();
    let page = write(&findings, &folder).unwrap();
    assert_eq!(page, folder.join("index.html"));
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut wanted: Vec<String> = plots(&findings).iter().map(Plot::file_name).collect();
    wanted.extend(["index.html".to_owned(), "report.md".to_owned()]);
    wanted.sort();
    assert_eq!(names, wanted);
    assert!(names.iter().all(|name| {
        name.chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "-.".contains(letter))
    }));
    assert!(write(&findings, &folder).is_ok(), "and is written over");
}

#[test]
fn each_plot_has_a_name_of_its_own() {
    let idle = |key| sample::row(key, "a call", Group::RoundTrip, Unit::Microseconds);
    let alike = ["a b", "a-b", "a/b", "a-b-2"].map(idle);
    let alike = sample::findings(&["plain"], 1, alike.into());
    assert_eq!(plots(&alike).len(), 4);
    for findings in [full(), hostile(), alike] {
        let mut names: Vec<String> = plots(&findings).into_iter().map(|plot| plot.name).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "{names:?}");
    }
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let text = html(&full());
    let outside = ["<script", "<link", "src=", "@import", "url(", "http://", "https://"];
    let found: Vec<&str> = outside.into_iter().filter(|word| text.contains(word)).collect();
    assert_eq!(found, Vec::<&str>::new());
    assert!(text.contains("prefers-color-scheme: dark") && text.contains("@media print"));
}

#[test]
fn the_page_states_the_circumstances() {
    let mut findings = full();
    findings.about.complete = false;
    findings.about.rounds_wanted = 9;
    let text = html(&findings);
    let about = &findings.about;
    let mut stated = vec![
        &about.machine,
        &about.kernel,
        &about.otp,
        about.tls.as_ref().expect("a version"),
        &about.beamway,
        &about.started,
    ];
    stated.extend(about.settings.iter().flat_map(|(name, value)| [name, value]));
    stated.extend(&about.notes);
    for word in stated {
        assert!(text.contains(word.as_str()), "{word}");
    }
    assert!(text.contains("8.3 GB") && text.contains("in 5 of 9 rounds") && text.contains("CPU steal"));
}

#[test]
fn every_figure_of_the_tables_stands_on_the_page() {
    let findings = two();
    let text = html(&findings);
    let judgement = Judgement::new(&findings);
    for item in &judgement.items {
        let figure = item.figure("beamway 16").unwrap();
        let ratio = item.ratio("beamway 16", "plain").unwrap();
        let value = words::typeset(&words::value(item.unit(), figure.value));
        assert!(
            text.contains(&value) && text.contains(&words::times(ratio.times)),
            "{item:?}"
        );
    }
}

#[test]
fn plots_are_described_for_those_who_do_not_see_them() {
    let findings = full();
    for plot in plots(&findings) {
        let svg = plot.standalone();
        assert_xml(&plot.name, &svg);
        let document = roxmltree::Document::parse(&svg).unwrap();
        let root = document.root_element();
        let labels = root.attribute("aria-labelledby").unwrap();
        assert_eq!(root.attribute("role"), Some("img"));
        for label in labels.split(' ') {
            let node = root
                .children()
                .find(|node| node.attribute("id") == Some(label))
                .unwrap();
            assert!(node.text().is_some_and(|text| text.len() > 5), "{label}");
        }
        assert!(plot.description.contains("beamway 16"), "{}", plot.description);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", plot.name);
    }
}

#[test]
fn every_place_lies_within_its_picture() {
    for findings in [full(), two(), sample::findings(&sample::ALL, 1, sample::rows())] {
        for plot in plots(&findings) {
            let svg = plot.standalone();
            let document = roxmltree::Document::parse(&svg).unwrap();
            let view: Vec<f64> = document
                .root_element()
                .attribute("viewBox")
                .unwrap()
                .split(' ')
                .map(|part| part.parse().unwrap())
                .collect();
            let across = |value: f64| value >= view[0] && value <= view[0] + view[2];
            let down = |value: f64| value >= view[1] && value <= view[1] + view[3];
            for node in document.descendants() {
                for attribute in node.attributes() {
                    let value = || attribute.value().parse::<f64>().unwrap();
                    let inside = match attribute.name() {
                        "x" | "x1" | "x2" | "cx" => across(value()),
                        "y" | "y1" | "y2" | "cy" => down(value()),
                        "width" | "height" => value() >= 0.0,
                        "points" => attribute
                            .value()
                            .split(' ')
                            .filter(|point| !point.is_empty())
                            .all(|point| {
                                let (x, y) = point.split_once(',').unwrap();
                                across(x.parse().unwrap()) && down(y.parse().unwrap())
                            }),
                        _ => true,
                    };
                    assert!(inside, "{}: {} {attribute:?}", plot.name, node.tag_name().name());
                }
            }
        }
    }
}

#[test]
fn every_section_has_its_plots() {
    let names: Vec<String> = plots(&full()).into_iter().map(|plot| plot.name).collect();
    for name in [
        "bars-throughput",
        "bars-connections",
        "bars-processor",
        "bars-ticks",
        "bars-round-trips",
        "latency-idle",
        "latency-calls-4-4000000",
        "latency-stalled-calls",
        "lines-a-call-every-10-ms-beside-4-x-256-kb",
        "ratios-throughput",
        "ratios-round-trips",
    ] {
        assert!(names.iter().any(|known| known == name), "{name} is not among {names:?}");
    }
}

#[test]
fn the_table_is_as_wide_as_the_terminal_at_most() {
    for columns in [80, 100, 120, 200] {
        for findings in [full(), two(), sample::findings(&sample::ALL, 1, sample::rows())] {
            let text = table(&findings, columns);
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(columns), "{columns}:\n{text}");
            assert!(text.lines().all(|line| line.trim_end() == line));
        }
    }
}

#[test]
fn the_table_says_first_where_beamway_is_slower() {
    let rows = vec![
        sample::row(
            "stream-100-1",
            "100 B, 1 pair",
            Group::Throughput,
            Unit::MessagesPerSecond,
        ),
        sample::row(
            "stream-4000-1",
            "4 KB, 1 pair",
            Group::Throughput,
            Unit::MegabytesPerSecond,
        ),
    ];
    let mut findings = sample::findings(&["beamway 16", "plain"], 5, rows);
    for measure in &mut findings.measures {
        measure.marked = false;
        measure.value = match (measure.carrier.as_str(), measure.row.as_str()) {
            ("plain", _) => 1000.0,
            (_, "stream-100-1") => 400.0,
            _ => 2000.0 + f64::from(measure.round),
        };
    }
    let text = table(&findings, 120);
    let unwrapped = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        unwrapped.contains(
            "beamway 16 beside plain: slower in 1 of 2 comparisons, faster in 1, no measurable difference in 0. \
             Lowest speed ratio 0.40 ("
        ),
        "{text}"
    );
    let line = |start: &str| text.lines().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
    assert_eq!(
        line("100 B"),
        [
            "100 B, 1 pair  msg/s         400       1,000",
            "100 B, 1 pair  msg/s  0.40 (0.40 to 0.40)"
        ]
    );
    assert_eq!(
        line("4 KB"),
        [
            "4 KB, 1 pair   MB/s        2,002       1,000",
            "4 KB, 1 pair   MB/s   2.00 (2.00 to 2.00)"
        ]
    );
}

#[test]
fn marked_figures_have_a_star() {
    let mut findings = sample::findings(&["beamway 16"], 1, vec![sample::rows().remove(0)]);
    findings.measures[0].marked = false;
    assert!(!table(&findings, 120).lines().any(|line| line.ends_with("ms*")));
    findings.measures[0].marked = true;
    assert!(table(&findings, 120).lines().any(|line| line.ends_with("ms*")));
    assert!(html(&findings).contains("ms*"));
}

#[test]
fn nothing_measured_is_no_failure() {
    for findings in [
        sample::findings(&[], 0, Vec::new()),
        sample::findings(&[], 0, sample::rows()),
        sample::findings(&["plain"], 1, sample::rows()),
        sample::findings(&["beamway 16"], 1, sample::rows()),
    ] {
        assert!(table(&findings, 120).contains("CPU steal"));
        assert!(html(&findings).contains("</html>"));
        for plot in plots(&findings) {
            assert_xml(&plot.name, &plot.standalone());
        }
    }
}

#[test]
fn figures_are_as_long_as_they_are_sure() {
    let value = words::value;
    assert_eq!(value(Unit::MessagesPerSecond, 466_410.4), "466,410");
    assert_eq!(value(Unit::MegabytesPerSecond, 1.24), "1.2");
    assert_eq!(value(Unit::Microseconds, 3.08), "3.1 us");
    assert_eq!(value(Unit::Microseconds, 7100.0), "7.1 ms");
    assert_eq!(value(Unit::MicrosecondsPerMessage, 12.34), "12.3 us");
    assert_eq!(
        [0.0512, 0.839, 1.0, 19.21, 158.4].map(words::times),
        ["0.051", "0.84", "1.00", "19.2", "158"]
    );
    assert_eq!(words::full_value(Unit::MegabytesPerSecond, 583.0), "583 MB/s");
    assert_eq!(words::full_value(Unit::Microseconds, 83.0), "83 µs");
}
