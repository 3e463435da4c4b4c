use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::crypto::aws_lc_rs::kx_group;

/// The cryptography of beamway: aws-lc-rs, with the hybrid post-quantum key exchange X25519MLKEM768 offered first.
///
/// It is passed explicitly everywhere, because a process default depends on which crates happen to be linked.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        // The order is the preference. The classical groups remain for a peer whose build lacks the first.
        kx_groups: vec![
            kx_group::X25519MLKEM768,
            kx_group::X25519,
            kx_group::SECP256R1,
            kx_group::SECP384R1,
        ],
        ..aws_lc_rs::default_provider()
    })
}

/// The name of the key exchange that [`provider`] prefers, printed at start.
#[cfg(any(test, feature = "daemon"))]
pub fn key_exchange_name() -> String {
    provider()
        .kx_groups
        .first()
        .map_or_else(|| "none".to_owned(), |group| format!("{:?}", group.name()))
}
