use super::report::comparison;
use super::report::microseconds;
use super::report::thousands;

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
