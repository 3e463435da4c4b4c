/// What the configuration of both gateways says about lanes; what is `None` is left to its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transport {
    /// Lanes in each direction.
    pub lanes: Option<u16>,
    /// The congestion controller.
    pub congestion: Option<String>,
}

impl Transport {
    /// Its name in tables: `beamway`, `beamway 16`, `beamway 16 cubic`.
    #[must_use]
    pub fn name(&self) -> String {
        let lanes = self.lanes.map(|lanes| lanes.to_string());
        let words = [Some("beamway".to_owned()), lanes, self.congestion.clone()];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}
