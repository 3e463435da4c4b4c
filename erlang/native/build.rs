//! Names the entry point of the library as the VM wants it, also when it is built for the tests of beamway: rustler does so for packages
//! that Cargo was told to build, by this variable.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=RUSTLER_PRIMARY_NIF_INIT=1");
}
