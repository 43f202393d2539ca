//! Makes a preset that was added or taken away be noticed: the folder is compiled in.

fn main() {
    println!("cargo::rerun-if-changed=presets");
}
