//! Builds again when the console was built anew; makes an empty `console/dist` (which git ignores)
//! where there is none, because cargo takes a watched path that is missing for changed each time.

fn main() {
    let dist = std::path::Path::new("console/dist");
    if !dist.exists() && std::fs::create_dir(dist).is_err() {
        // A read-only checkout: the crate is then built again each time, and still right.
        println!("cargo::warning=console/dist could not be made; the console isn't embedded");
    }
    println!("cargo::rerun-if-changed=console/dist");
    println!("cargo::rerun-if-changed=build.rs");
}
