use std::str::FromStr;
use std::sync::Arc;

use quinn::congestion::BbrConfig;
use quinn::congestion::ControllerFactory;
use quinn::congestion::CubicConfig;
use quinn::congestion::NewRenoConfig;

use super::controller::ModelFactory;

/// Which congestion control the trunks of a daemon use, each in its own direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Our own: as much as the line holds without a queue, and a little more; loss by chance changes nothing.
    #[default]
    Model,
    /// RFC 9438, of quinn: fills the buffers of a line, and takes each loss for congestion.
    Cubic,
    /// RFC 9002, of quinn: the same with a slower growth.
    NewReno,
    /// BBR version 1, of quinn, where it is called an experiment.
    Bbr,
}

impl Algorithm {
    /// All of them.
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

    /// What makes a controller for each trunk.
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
