use super::gateways::add;
use super::gateways::free_ports;
use super::gateways::lane_frames;
use super::report::comparison;
use super::report::microseconds;
use super::report::thousands;

#[test]
fn a_gateway_says_its_frames_per_lane_as_a_list_or_as_text() {
    let list = r#"{"level":"INFO","fields":{"message":"lanes","frames":[3,0,7]}}"#;
    let text = r#"{"level":"INFO","fields":{"message":"lanes","frames":"[3, 0, 7]"},"target":"beamway"}"#;
    assert_eq!(lane_frames(list), Some(vec![3, 0, 7]));
    assert_eq!(lane_frames(text), Some(vec![3, 0, 7]));
}

#[test]
fn other_log_lines_are_no_frames_per_lane() {
    for line in [
        "",
        "beamway 0.1.0 left 127.0.0.1:4471",
        "[3,0,7]",
        r#"{"fields":{"message":"circuit closed","frames":[3]}}"#,
        r#"{"fields":{"message":"lanes"}}"#,
        r#"{"fields":{"message":"lanes","frames":[-1]}}"#,
        r#"{"fields":{"message":"lanes","frames":"many"}}"#,
        r#"{"fields":"lanes"}"#,
    ] {
        assert_eq!(lane_frames(line), None, "{line}");
    }
    let endless = format!(
        r#"{{"fields":{{"message":"lanes","frames":[0{}]}}}}"#,
        ",0".repeat(5000)
    );
    assert_eq!(lane_frames(&endless), None);
}

#[test]
fn circuits_add_up_lane_by_lane() {
    let mut sum = Vec::new();
    add(&mut sum, &[1, 2]);
    add(&mut sum, &[10, 20, 30]);
    add(&mut sum, &[u64::MAX]);
    assert_eq!(sum, [u64::MAX, 22, 30]);
}

#[test]
fn figures_are_readable() {
    assert_eq!(thousands(0.4), "0");
    assert_eq!(thousands(999.0), "999");
    assert_eq!(thousands(1000.0), "1,000");
    assert_eq!(thousands(12_345_678.0), "12,345,678");
    assert_eq!(microseconds(86.0), "86 us");
    assert_eq!(microseconds(4510.0), "4.5 ms");
    assert_eq!(microseconds(164_200.0), "164 ms");
}

#[test]
fn a_ratio_says_which_way_is_better() {
    assert_eq!(comparison(2.44), "2.4x faster");
    assert_eq!(comparison(20.4), "20x faster");
    assert_eq!(comparison(0.25), "4.0x slower");
    assert_eq!(comparison(1.04), "equal");
    assert_eq!(comparison(0.96), "equal");
    assert_eq!(comparison(f64::NAN), "-");
    assert_eq!(comparison(0.0), "-");
}

#[test]
fn free_ports_differ() {
    let mut ports = free_ports::<8>().unwrap();
    ports.sort_unstable();
    assert!(ports.windows(2).all(|pair| pair[0] != pair[1]), "{ports:?}");
}
