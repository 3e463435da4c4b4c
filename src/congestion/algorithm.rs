use std::str::FromStr;
use std::sync::Arc;

use quinn::congestion::BbrConfig;
use quinn::congestion::ControllerFactory;
use quinn::congestion::CubicConfig;
use quinn::congestion::NewRenoConfig;

use super::controller::ModelFactory;

/// The congestion control algorithm of a daemon's trunks. Each side of a trunk chooses its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// beamway's own algorithm: as much in flight as the path holds without a queue, and a little more. Random loss is ignored.
    #[default]
    Model,
    /// quinn's Cubic (RFC 9438): fills the buffers of the path, and treats each loss as congestion.
    Cubic,
    /// quinn's NewReno (RFC 9002): the same with slower growth.
    NewReno,
    /// quinn's BBR version 1, which quinn calls experimental.
    Bbr,
}

impl Algorithm {
    /// All algorithms.
    pub const ALL: [Self; 4] = [Self::Model, Self::Cubic, Self::NewReno, Self::Bbr];

    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Cubic => "cubic",
            Self::NewReno => "newreno",
            Self::Bbr => "bbr",
        }
    }

    /// The factory that creates a controller for each trunk.
    pub fn factory(self) -> Arc<dyn ControllerFactory + Send + Sync> {
        match self {
            Self::Model => Arc::new(ModelFactory),
            Self::Cubic => Arc::new(CubicConfig::default()),
            Self::NewReno => Arc::new(NewRenoConfig::default()),
            Self::Bbr => Arc::new(BbrConfig::default()),
        }
    }
}

impl FromStr for Algorithm {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == text)
            .ok_or("model, cubic, newreno or bbr")
    }
}
