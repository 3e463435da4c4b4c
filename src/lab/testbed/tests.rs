use super::gateways::add;
use super::gateways::free_ports;
use super::gateways::lane_frames;

#[test]
fn a_gateway_says_its_frames_per_lane_as_a_list() {
    let list = r#"{"level":"INFO","fields":{"message":"lanes","frames":[3,0,7]},"target":"beamway"}"#;
    assert_eq!(lane_frames(list), Some(vec![3, 0, 7]));
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
        r#"{"fields":{"message":"lanes","frames":"[3, 0, 7]"}}"#,
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
fn free_ports_differ() {
    let mut ports = free_ports::<8>().unwrap();
    ports.sort_unstable();
    assert!(ports.windows(2).all(|pair| pair[0] != pair[1]), "{ports:?}");
}
